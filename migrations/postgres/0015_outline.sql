-- What files begin with, line by line: at some lines the digest of all before, and short digests of the lines up to the next of these. So
-- a shorter copy of a file is recognised. A log that grows keeps its outline, which is named by the digest of its first generation.
-- `turn` counts the files, so that whoever adds one sees those that were added meanwhile. What an older sview reads has neither.
ALTER TABLE sview_file ADD COLUMN outline text;
ALTER TABLE sview_file ADD COLUMN turn bigint;
CREATE INDEX sview_file_outline_idx ON sview_file (outline);
CREATE INDEX sview_file_turn_idx ON sview_file (turn);
CREATE TABLE sview_outline (
  outline text NOT NULL,
  line bigint NOT NULL,
  digest text NOT NULL,
  tail text NOT NULL,
  PRIMARY KEY (outline, line)
);
CREATE INDEX sview_outline_digest_idx ON sview_outline (digest);

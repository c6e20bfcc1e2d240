-- By its outline a shorter copy of a file is recognised; see migrations/postgres/0015_outline.sql. What an older sview reads has none.
ALTER TABLE sview_file ADD COLUMN outline TEXT;
ALTER TABLE sview_file ADD COLUMN turn INTEGER;
CREATE INDEX sview_file_outline_idx ON sview_file (outline);
CREATE INDEX sview_file_turn_idx ON sview_file (turn);
CREATE TABLE sview_outline (
  outline TEXT NOT NULL,
  line INTEGER NOT NULL,
  digest TEXT NOT NULL,
  tail TEXT NOT NULL,
  PRIMARY KEY (outline, line)
);
CREATE INDEX sview_outline_digest_idx ON sview_outline (digest);

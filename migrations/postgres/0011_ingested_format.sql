-- A file is its decompressed content, read in one format: another format finds other reports in it. Files without a format stay in
-- sview_ingested, which older processes go on to use; compressed ones of these are known by their compressed bytes.
CREATE TABLE sview_file (
  digest text NOT NULL,
  format text NOT NULL,
  name text NOT NULL,
  lines bigint NOT NULL,
  finished boolean NOT NULL,
  size bigint,
  next text,
  PRIMARY KEY (digest, format)
);

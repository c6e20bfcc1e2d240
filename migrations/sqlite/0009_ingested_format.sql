-- A file is its decompressed content, read in one format: another format finds other reports in it. Files without a format stay in
-- sview_ingested, which older processes go on to use; compressed ones of these are known by their compressed bytes.
CREATE TABLE sview_file (
  digest TEXT NOT NULL,
  format TEXT NOT NULL,
  name TEXT NOT NULL,
  lines INTEGER NOT NULL,
  finished INTEGER NOT NULL,
  size BIGINT,
  next TEXT,
  PRIMARY KEY (digest, format)
) WITHOUT ROWID;

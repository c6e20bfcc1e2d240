-- A file is its decompressed content, read in one format: another format finds other reports in it. '' is of files that were read
-- before formats were kept; compressed ones of these are known by their compressed bytes.
CREATE TABLE sview_ingested_new (
  digest TEXT NOT NULL,
  format TEXT NOT NULL DEFAULT '',
  name TEXT NOT NULL,
  lines INTEGER NOT NULL,
  finished INTEGER NOT NULL,
  size BIGINT,
  next TEXT,
  PRIMARY KEY (digest, format)
) WITHOUT ROWID;
INSERT INTO sview_ingested_new (digest, name, lines, finished, size, next)
  SELECT digest, name, lines, finished, size, next FROM sview_ingested;
DROP TABLE sview_ingested;
ALTER TABLE sview_ingested_new RENAME TO sview_ingested;

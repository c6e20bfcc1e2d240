-- A file is its decompressed content, read in one format: another format finds other reports in it. '' is of files that were read
-- before formats were kept; compressed ones of these are known by their compressed bytes.
ALTER TABLE sview_ingested ADD COLUMN format text NOT NULL DEFAULT '';
ALTER TABLE sview_ingested DROP CONSTRAINT sview_ingested_pkey;
ALTER TABLE sview_ingested ADD PRIMARY KEY (digest, format);

-- When a file was read last, in microseconds since 1970-01-01 UTC by the database's clock. An older sview reads files without telling.
ALTER TABLE sview_file ADD COLUMN read_at BIGINT;
CREATE INDEX sview_file_read_idx ON sview_file (read_at);

-- A bucket that could not be made: see migrations/postgres/0013_failed.sql.
ALTER TABLE sview_pending ADD COLUMN error TEXT;
ALTER TABLE sview_pending ADD COLUMN failed_at INTEGER;
CREATE INDEX sview_pending_failed_idx ON sview_pending (kind, precision) WHERE failed_at IS NOT NULL;

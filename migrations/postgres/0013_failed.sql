-- A bucket that could not be made is a span of its own: why not, and when it was tried last, in microseconds since 1970-01-01 UTC. It is
-- tried again later. An older sview tries it with every step.
ALTER TABLE sview_pending ADD COLUMN error text;
ALTER TABLE sview_pending ADD COLUMN failed_at bigint;
CREATE INDEX sview_pending_failed_idx ON sview_pending (kind, precision) WHERE failed_at IS NOT NULL;

-- What aggregation has covered. Times are microseconds since 1970-01-01 UTC, so that one text of SQL serves both stores.
CREATE TABLE sview_rollup (
  kind text NOT NULL,
  precision text NOT NULL,
  -- Buckets that end by this moment were made, but for those that are pending. NULL: aggregation has not begun.
  watermark bigint,
  -- Counts the times that a bucket was made anew which had been made before: values that were computed from it are due.
  revision bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, precision)
);
INSERT INTO sview_rollup (kind, precision)
  SELECT kind, precision
  FROM unnest(ARRAY['incidents', 'passwords', 'ports']) AS kind, unnest(ARRAY['quarterly', 'hourly', 'daily']) AS precision;

-- Spans of buckets to be made, or made anew since reports came late. Rows are only ever added, by whoever adds reports and in
-- the same transaction; aggregation takes them away in the transaction that makes the buckets.
CREATE TABLE sview_pending (
  id bigserial PRIMARY KEY,
  kind text NOT NULL,
  precision text NOT NULL,
  start bigint NOT NULL,
  finish bigint NOT NULL,
  CHECK (start < finish)
);
CREATE INDEX sview_pending_idx ON sview_pending (kind, precision, start);

-- Files that were read, and how far: a file is not counted twice, and one that was interrupted goes on where it stopped.
CREATE TABLE sview_ingested (
  digest text PRIMARY KEY,
  name text NOT NULL,
  lines bigint NOT NULL,
  finished boolean NOT NULL
);

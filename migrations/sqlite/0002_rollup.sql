-- What aggregation has covered; see migrations/postgres/0004_rollup.sql, which says the same for PostgreSQL.
CREATE TABLE sview_rollup (
  kind TEXT NOT NULL,
  precision TEXT NOT NULL,
  watermark INTEGER,
  -- Counts the times that a bucket was made anew which had been made before: values that were computed from it are due.
  revision INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, precision)
) WITHOUT ROWID;
INSERT INTO sview_rollup (kind, precision)
  SELECT k.value, p.value
  FROM json_each('["incidents","passwords","ports"]') AS k, json_each('["quarterly","hourly","daily"]') AS p;

CREATE TABLE sview_pending (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  precision TEXT NOT NULL,
  start INTEGER NOT NULL,
  finish INTEGER NOT NULL,
  CHECK (start < finish)
);
CREATE INDEX sview_pending_idx ON sview_pending (kind, precision, start);

CREATE TABLE sview_ingested (
  digest TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  lines INTEGER NOT NULL,
  finished INTEGER NOT NULL
) WITHOUT ROWID;

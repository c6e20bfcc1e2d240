-- The embedded cache: one row a value. Times are microseconds since 1970-01-01 UTC.
CREATE TABLE cache (
  key TEXT PRIMARY KEY,
  json TEXT NOT NULL,
  finish INTEGER NOT NULL,
  complete_to INTEGER NOT NULL,
  computed_at INTEGER NOT NULL,
  refresh_at INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX cache_expires_idx ON cache (expires_at);

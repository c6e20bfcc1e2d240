-- The ledger of jobs, which is also the queue. Times are milliseconds since 1970-01-01 UTC by the machine's clock, spans are
-- milliseconds. States: queued, scheduled, running, done, dead, cancelled.
CREATE TABLE job (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  queue TEXT NOT NULL,
  key TEXT NOT NULL,
  payload TEXT NOT NULL,
  words TEXT NOT NULL,
  cause TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  delay INTEGER NOT NULL DEFAULT 0,
  started_at INTEGER,
  finished_at INTEGER,
  worker TEXT,
  token TEXT,
  lease INTEGER,
  lease_until INTEGER,
  suspect_since INTEGER,
  cancel_asked INTEGER NOT NULL DEFAULT 0,
  -- a line of JSON for each attempt that failed
  errors TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
-- The claim: at most one job of a key is under way.
CREATE UNIQUE INDEX job_claim ON job (key) WHERE state IN ('queued', 'scheduled', 'running');
-- SQLite uses a partial index only where the query repeats its condition.
CREATE INDEX job_queued ON job (queue, run_at, id) WHERE state = 'queued';
CREATE INDEX job_scheduled ON job (queue, run_at, id) WHERE state = 'scheduled';
CREATE INDEX job_running ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_ended ON job (queue, state, finished_at, id) WHERE finished_at IS NOT NULL;

-- When the last job of a key died; gone when one succeeds.
CREATE TABLE failure (key TEXT PRIMARY KEY NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE paused (queue TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;
CREATE TABLE worker (name TEXT PRIMARY KEY NOT NULL, info TEXT NOT NULL, seen_at INTEGER NOT NULL) WITHOUT ROWID;
-- Ticks of producers, in seconds since 1970, and when they were claimed.
CREATE TABLE tick (
  producer TEXT NOT NULL,
  tick INTEGER NOT NULL,
  claimed_at INTEGER NOT NULL,
  PRIMARY KEY (producer, tick)
) WITHOUT ROWID;

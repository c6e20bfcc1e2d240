-- How long attempts took, by kind of job and hour (its number since 1970): how many are in each bucket (see run_times.rs). Bucket
-- -1: how many ended well; -2: how many failed; -3: the longest, in milliseconds.
CREATE TABLE run_hour (
  hour INTEGER NOT NULL,
  name TEXT NOT NULL,
  bucket INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (hour, name, bucket)
) WITHOUT ROWID;

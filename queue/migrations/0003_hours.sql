-- How many jobs ended in an hour, counted as they end: records may be forgotten before their day is over. An hour is its number
-- since 1970.
CREATE TABLE ended_hour (
  hour INTEGER NOT NULL,
  queue TEXT NOT NULL,
  state TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (hour, queue, state)
) WITHOUT ROWID;
INSERT INTO ended_hour (hour, queue, state, count)
  SELECT finished_at / 3600000, queue, state, count(*) FROM job WHERE finished_at IS NOT NULL GROUP BY 1, 2, 3;

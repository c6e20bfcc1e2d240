-- Up to when reports of a kind are forgotten, in the row of quarters, in microseconds: they were aggregated, and are deleted by and by.
-- What comes for a time before that comes too late.
ALTER TABLE sview_rollup ADD COLUMN forgotten BIGINT;

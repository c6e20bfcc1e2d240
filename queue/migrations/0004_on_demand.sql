-- Whether a visitor caused the job: of these fewer are kept, so that nobody can push out the records of others.
ALTER TABLE job ADD COLUMN on_demand INTEGER NOT NULL DEFAULT 0;
UPDATE job SET on_demand = 1 WHERE name = 'cache-resource';
CREATE INDEX job_on_demand ON job (queue, state, finished_at, id) WHERE finished_at IS NOT NULL AND on_demand = 1;

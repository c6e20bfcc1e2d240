-- Sessions of honeypots that were open at the end of a file: the next file does not say again by which protocol they came. `turn` counts
-- the files, so that the oldest sessions can be deleted.
CREATE TABLE sview_session (
  id text PRIMARY KEY,
  trap text NOT NULL,
  ip text NOT NULL,
  turn bigint NOT NULL
);

-- Sessions of honeypots that were open at the end of a file: the next file does not say again by which protocol they came. `turn` counts
-- the files, so that the oldest sessions can be deleted.
CREATE TABLE sview_session (
  id TEXT PRIMARY KEY,
  trap TEXT NOT NULL,
  ip TEXT NOT NULL,
  turn INTEGER NOT NULL
) WITHOUT ROWID;

-- The greylist as of the last computation; see store/src/greylist. Times are microseconds since 1970-01-01 UTC.
CREATE TABLE sview_greylist (
  ip TEXT PRIMARY KEY,
  tags TEXT NOT NULL, -- as published: haas,telnet
  evidence TEXT NOT NULL, -- what it did, as JSON
  score INTEGER NOT NULL, -- in tenths of a point
  probes INTEGER NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  expires INTEGER NOT NULL
) WITHOUT ROWID;

-- One row: as of when the list is. The generation grows whenever the list is written.
CREATE TABLE sview_greylist_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  as_of INTEGER,
  generation INTEGER NOT NULL
);
INSERT INTO sview_greylist_state (id, as_of, generation) VALUES (1, NULL, 0);

-- The list of every day, as of its midnight: an address and its tags a line.
CREATE TABLE sview_greylist_day (
  day TEXT PRIMARY KEY, -- 2026-03-15
  made INTEGER NOT NULL,
  addresses INTEGER NOT NULL,
  body TEXT NOT NULL
);

-- The greylist as of the last computation; see store/src/greylist. Times are microseconds since 1970-01-01 UTC.
CREATE TABLE sview_greylist (
  ip text PRIMARY KEY,
  tags text NOT NULL, -- as published: haas,telnet
  evidence text NOT NULL, -- what it did, as JSON
  score bigint NOT NULL, -- in tenths of a point
  probes bigint NOT NULL,
  first_seen bigint NOT NULL,
  last_seen bigint NOT NULL,
  expires bigint NOT NULL
);

-- One row: as of when the list is. The generation grows whenever the list is written.
CREATE TABLE sview_greylist_state (
  id bigint PRIMARY KEY CHECK (id = 1),
  as_of bigint,
  generation bigint NOT NULL
);
INSERT INTO sview_greylist_state (id, as_of, generation) VALUES (1, NULL, 0);

-- The list of every day, as of its midnight: an address and its tags a line.
CREATE TABLE sview_greylist_day (
  day text PRIMARY KEY, -- 2026-03-15
  made bigint NOT NULL,
  addresses bigint NOT NULL,
  body text NOT NULL
);

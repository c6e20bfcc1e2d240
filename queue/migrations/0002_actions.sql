-- What operators did: who, from where, what, and when (milliseconds since 1970). Ids ascend; the oldest go when there are many.
CREATE TABLE action (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  peer TEXT NOT NULL,
  what TEXT NOT NULL
);

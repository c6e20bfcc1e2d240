-- Processes, and when they were heard of (milliseconds since 1970).
CREATE TABLE process (name TEXT PRIMARY KEY NOT NULL, info TEXT NOT NULL, seen_at INTEGER NOT NULL) WITHOUT ROWID;

-- Counted passwords; see migrations/postgres/0006_passwords.sql, which says the same for PostgreSQL.
CREATE TABLE passwords_pwned (
  password_hash TEXT NOT NULL,
  password_count INTEGER NOT NULL,
  password_source TEXT NOT NULL
);
CREATE INDEX passwords_pwned_prefix_idx ON passwords_pwned (password_hash);

CREATE TABLE sview_password (
  kind TEXT NOT NULL,
  hash TEXT NOT NULL,
  count INTEGER NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  PRIMARY KEY (kind, hash)
) WITHOUT ROWID;

CREATE TABLE sview_password_day (
  bucket INTEGER PRIMARY KEY,
  body BLOB NOT NULL
);

CREATE TABLE sview_password_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  watermark INTEGER,
  made INTEGER,
  revision INTEGER NOT NULL DEFAULT 0
);
INSERT INTO sview_password_state (id) VALUES (1);

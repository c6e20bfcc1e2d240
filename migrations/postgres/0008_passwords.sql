-- Counted passwords, as a running deployment has them already: it is left as it is, and only read.
CREATE TABLE IF NOT EXISTS passwords_pwned (
  password_hash varchar(40) NOT NULL, -- SHA-1 in hex digits, of either case
  password_count bigint NOT NULL,
  password_source varchar(16) NOT NULL
);
-- Ranges of prefixes are ranges of bytes, whatever the database's language. (A view of this name has no index, and needs none.)
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('passwords_pwned') AND relkind IN ('r', 'p')) THEN
    CREATE INDEX IF NOT EXISTS passwords_pwned_prefix_idx ON passwords_pwned ((password_hash::text COLLATE "C"));
  END IF;
END $$;

-- Passwords that sview itself counts, from the reports.
CREATE TABLE sview_password (
  kind text NOT NULL, -- sha1 or ntlm
  hash text COLLATE "C" NOT NULL, -- lower-case hex digits
  count bigint NOT NULL,
  first_seen bigint NOT NULL, -- the day's start, microseconds since 1970-01-01 UTC
  last_seen bigint NOT NULL,
  PRIMARY KEY (kind, hash)
);

-- What was counted of each day: its tally as it was then. When late reports have made another tally of it, the difference is counted.
CREATE TABLE sview_password_day (
  bucket bigint PRIMARY KEY,
  body bytea NOT NULL
);
ALTER TABLE sview_password_day ALTER COLUMN body SET STORAGE EXTERNAL;

-- Of which state of the daily aggregation everything was counted; its row is the lock under which counting takes turns.
CREATE TABLE sview_password_state (
  id integer PRIMARY KEY CHECK (id = 1),
  watermark bigint,
  made bigint,
  revision bigint NOT NULL DEFAULT 0 -- grows with whatever is counted
);
INSERT INTO sview_password_state (id) VALUES (1);

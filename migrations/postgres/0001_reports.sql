-- The tables of a Sentinel database, under their own names. In a running deployment they exist already and are left as they are.
DO $$ BEGIN
  IF to_regtype('trap_t') IS NULL AND to_regclass('incidents') IS NULL THEN
    CREATE TYPE trap_t AS ENUM ('minipot_ftp', 'minipot_smtp', 'minipot_telnet', 'minipot_http', 'fwlogs');
  END IF;
  IF to_regtype('action_t') IS NULL AND to_regclass('incidents') IS NULL THEN
    CREATE TYPE action_t AS ENUM ('connect', 'login', 'message', 'invalid', 'small_port_scan', 'big_port_scan');
  END IF;
  IF to_regtype('protocol_t') IS NULL AND to_regclass('ports') IS NULL THEN
    CREATE TYPE protocol_t AS ENUM ('TCP', 'UDP', 'other');
  END IF;
END $$;

CREATE TABLE IF NOT EXISTS identity (
  id bigserial PRIMARY KEY,
  sn varchar(16) NOT NULL,
  device_token varchar(64) NOT NULL,
  UNIQUE (sn, device_token)
);

-- Dynamic, since the types named here do not exist where the tables do under other type names.
DO $$
DECLARE suffix text;
BEGIN
  IF to_regclass('incidents') IS NULL THEN
    EXECUTE 'CREATE TABLE incidents (
      time timestamptz NOT NULL,
      raw_count bigint DEFAULT 1,
      identity_id bigint NOT NULL REFERENCES identity (id),
      trap trap_t NOT NULL,
      action action_t NOT NULL,
      ip inet NOT NULL,
      country varchar(2)
    )';
  END IF;
  IF to_regclass('passwords') IS NULL THEN
    EXECUTE 'CREATE TABLE passwords (
      time timestamptz NOT NULL,
      raw_count bigint DEFAULT 1,
      username text NOT NULL,
      password text NOT NULL
    )';
  END IF;
  IF to_regclass('ports') IS NULL THEN
    EXECUTE 'CREATE TABLE ports (
      time timestamptz NOT NULL,
      raw_count bigint DEFAULT 1,
      port integer NOT NULL,
      protocol protocol_t NOT NULL
    )';
  END IF;
  FOREACH suffix IN ARRAY ARRAY['quarterly', 'hourly', 'daily'] LOOP
    EXECUTE format('CREATE TABLE IF NOT EXISTS incidents_%s (LIKE incidents INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', suffix);
    EXECUTE format('CREATE TABLE IF NOT EXISTS passwords_%s (LIKE passwords INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', suffix);
    EXECUTE format('CREATE TABLE IF NOT EXISTS ports_%s (LIKE ports INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', suffix);
  END LOOP;
END $$;

-- The tables of a Sentinel database. Times are microseconds since 1970-01-01 UTC; enumerations and addresses are text.
CREATE TABLE identity (
  id INTEGER PRIMARY KEY,
  sn TEXT NOT NULL,
  device_token TEXT NOT NULL,
  UNIQUE (sn, device_token)
);

CREATE TABLE incidents (time INTEGER NOT NULL, raw_count INTEGER DEFAULT 1, identity_id INTEGER NOT NULL REFERENCES identity (id), trap TEXT NOT NULL, action TEXT NOT NULL, ip TEXT NOT NULL, country TEXT);
CREATE TABLE incidents_quarterly (time INTEGER NOT NULL, raw_count INTEGER DEFAULT 1, identity_id INTEGER NOT NULL, trap TEXT NOT NULL, action TEXT NOT NULL, ip TEXT NOT NULL, country TEXT);
CREATE TABLE incidents_hourly (time INTEGER NOT NULL, raw_count INTEGER DEFAULT 1, identity_id INTEGER NOT NULL, trap TEXT NOT NULL, action TEXT NOT NULL, ip TEXT NOT NULL, country TEXT);
CREATE TABLE incidents_daily (time INTEGER NOT NULL, raw_count INTEGER DEFAULT 1, identity_id INTEGER NOT NULL, trap TEXT NOT NULL, action TEXT NOT NULL, ip TEXT NOT NULL, country TEXT);

CREATE TABLE passwords (time INTEGER NOT NULL, raw_count INTEGER DEFAULT 1, username TEXT NOT NULL, password TEXT NOT NULL);
CREATE TABLE passwords_quarterly (time INTEGER NOT NULL, raw_count INTEGER DEFAULT 1, username TEXT NOT NULL, password TEXT NOT NULL);
CREATE TABLE passwords_hourly (time INTEGER NOT NULL, raw_count INTEGER DEFAULT 1, username TEXT NOT NULL, password TEXT NOT NULL);
CREATE TABLE passwords_daily (time INTEGER NOT NULL, raw_count INTEGER DEFAULT 1, username TEXT NOT NULL, password TEXT NOT NULL);

CREATE TABLE ports (time INTEGER NOT NULL, raw_count INTEGER DEFAULT 1, port INTEGER NOT NULL, protocol TEXT NOT NULL);
CREATE TABLE ports_quarterly (time INTEGER NOT NULL, raw_count INTEGER DEFAULT 1, port INTEGER NOT NULL, protocol TEXT NOT NULL);
CREATE TABLE ports_hourly (time INTEGER NOT NULL, raw_count INTEGER DEFAULT 1, port INTEGER NOT NULL, protocol TEXT NOT NULL);
CREATE TABLE ports_daily (time INTEGER NOT NULL, raw_count INTEGER DEFAULT 1, port INTEGER NOT NULL, protocol TEXT NOT NULL);

-- With the count in the index, sums by bucket need no row.
CREATE INDEX incidents_time_idx ON incidents (time, raw_count);
CREATE INDEX incidents_quarterly_time_idx ON incidents_quarterly (time, raw_count);
CREATE INDEX incidents_hourly_time_idx ON incidents_hourly (time, raw_count);
CREATE INDEX incidents_daily_time_idx ON incidents_daily (time, raw_count);
CREATE INDEX passwords_time_idx ON passwords (time, raw_count);
CREATE INDEX passwords_quarterly_time_idx ON passwords_quarterly (time, raw_count);
CREATE INDEX passwords_hourly_time_idx ON passwords_hourly (time, raw_count);
CREATE INDEX passwords_daily_time_idx ON passwords_daily (time, raw_count);
CREATE INDEX ports_time_idx ON ports (time, raw_count);
CREATE INDEX ports_quarterly_time_idx ON ports_quarterly (time, raw_count);
CREATE INDEX ports_hourly_time_idx ON ports_hourly (time, raw_count);
CREATE INDEX ports_daily_time_idx ON ports_daily (time, raw_count);

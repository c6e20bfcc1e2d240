-- A bucket's rows as far as resources ask for them, packed; see store/src/tally. Made from the wide rows, and can be made anew.
CREATE TABLE sview_tally (
  kind text NOT NULL,
  precision text NOT NULL,
  bucket bigint NOT NULL, -- its start, microseconds since 1970-01-01 UTC
  body bytea NOT NULL,
  PRIMARY KEY (kind, precision, bucket)
);
-- Tallies are compact already: compressing them again costs more than it saves.
ALTER TABLE sview_tally ALTER COLUMN body SET STORAGE EXTERNAL;

-- A device's rows are found without reading everybody's. (Attackers and passwords are found in the tallies.)
CREATE INDEX IF NOT EXISTS incidents_hourly_identity_idx ON incidents_hourly (identity_id, time);
CREATE INDEX IF NOT EXISTS incidents_daily_identity_idx ON incidents_daily (identity_id, time);

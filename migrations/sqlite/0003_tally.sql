-- A bucket's rows as far as resources ask for them, packed; see store/src/tally. Made from the wide rows, and can be made anew.
CREATE TABLE sview_tally (
  kind TEXT NOT NULL,
  precision TEXT NOT NULL,
  bucket INTEGER NOT NULL, -- its start, microseconds since 1970-01-01 UTC
  body BLOB NOT NULL,
  PRIMARY KEY (kind, precision, bucket)
);

-- A device's rows are found without reading everybody's. (Attackers and passwords are found in the tallies.)
CREATE INDEX incidents_hourly_identity_idx ON incidents_hourly (identity_id, time);
CREATE INDEX incidents_daily_identity_idx ON incidents_daily (identity_id, time);

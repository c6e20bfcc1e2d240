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

-- One attacker's and one password's rows are found without reading everybody's. Passwords may be longer than an index entry,
-- so they are found by their hash.
DO $$
DECLARE suffix text;
BEGIN
  FOREACH suffix IN ARRAY ARRAY['', '_quarterly', '_hourly', '_daily'] LOOP
    EXECUTE format('CREATE INDEX IF NOT EXISTS incidents%1$s_ip_idx ON incidents%1$s (ip, time)', suffix);
    EXECUTE format('CREATE INDEX IF NOT EXISTS incidents%1$s_identity_idx ON incidents%1$s (identity_id, time)', suffix);
    EXECUTE format('CREATE INDEX IF NOT EXISTS passwords%1$s_password_idx ON passwords%1$s (md5(password), time)', suffix);
  END LOOP;
END $$;

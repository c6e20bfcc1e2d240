-- Everything is found by time. TimescaleDB's hypertables make an index of this very name themselves.
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['incidents', 'passwords', 'ports'] LOOP
    EXECUTE format('CREATE INDEX IF NOT EXISTS %1$s_time_idx ON %1$s (time DESC)', name);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %1$s_quarterly_time_idx ON %1$s_quarterly (time DESC)', name);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %1$s_hourly_time_idx ON %1$s_hourly (time DESC)', name);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %1$s_daily_time_idx ON %1$s_daily (time DESC)', name);
  END LOOP;
END $$;

-- Where the extension is there, the tables become hypertables (those that are so already stay as they are).
DO $$
DECLARE
  name text;
  suffix text;
BEGIN
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
    FOREACH name IN ARRAY ARRAY['incidents', 'passwords', 'ports'] LOOP
      FOREACH suffix IN ARRAY ARRAY['', '_quarterly', '_hourly', '_daily'] LOOP
        EXECUTE format('SELECT create_hypertable(%L, ''time'', if_not_exists => true, migrate_data => true)', name || suffix);
      END LOOP;
    END LOOP;
  END IF;
END $$;

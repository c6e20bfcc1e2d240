-- SSH honeypots are a trap of their own. The enumeration is that of the column, whatever it is called.
DO $$
DECLARE enumeration regtype;
BEGIN
  SELECT atttypid::regtype INTO enumeration
    FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    WHERE attrelid = 'incidents'::regclass AND attname = 'trap' AND typtype = 'e';
  IF enumeration IS NOT NULL THEN
    EXECUTE format('ALTER TYPE %s ADD VALUE IF NOT EXISTS %L', enumeration, 'haas');
  END IF;
END $$;

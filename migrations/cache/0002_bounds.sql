-- Values with a parameter, of which visitors cause any number, are bounded: `used` grows with every use, so the lowest is the least
-- recently used; `bytes` is the size of the JSON. Both are null for what is precached.
ALTER TABLE cache ADD COLUMN used INTEGER;
ALTER TABLE cache ADD COLUMN bytes INTEGER;
CREATE INDEX cache_used_idx ON cache (used, bytes) WHERE used IS NOT NULL;

-- What a value knows beyond the JSON that the API serves, with the value's `computed_at` before it: an older sview leaves it as it is
-- when it writes a newer value, and it must not be taken for that one's.
ALTER TABLE cache ADD COLUMN supplement TEXT;

-- Which reports there are, where a value is blank: JSON, or an empty text. NULL where an older sview wrote the row.
ALTER TABLE cache ADD COLUMN reported TEXT;

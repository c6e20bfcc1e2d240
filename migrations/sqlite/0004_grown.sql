-- A log in use is read again and again: how large it was says whether it is the beginning of what it is now, and `next` what it grew to.
ALTER TABLE sview_ingested ADD COLUMN size BIGINT;
ALTER TABLE sview_ingested ADD COLUMN next TEXT;

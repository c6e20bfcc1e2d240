-- How long weighing the reports took for the list of a generation, in microseconds. An older sview makes lists without telling.
ALTER TABLE sview_greylist_state ADD COLUMN took INTEGER;
ALTER TABLE sview_greylist_state ADD COLUMN took_of INTEGER;

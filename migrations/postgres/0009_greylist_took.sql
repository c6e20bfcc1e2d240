-- How long weighing the reports took for the list of a generation, in microseconds. An older sview makes lists without telling.
ALTER TABLE sview_greylist_state ADD COLUMN took BIGINT;
ALTER TABLE sview_greylist_state ADD COLUMN took_of BIGINT;

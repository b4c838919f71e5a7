-- Last write wins, for tables whose key is the time and a label. The join hands the bounds of the staged times to the
-- scan, which skips every row group outside them.
DELETE FROM {table} USING staging WHERE {key_match};
INSERT INTO {table} SELECT * FROM staging

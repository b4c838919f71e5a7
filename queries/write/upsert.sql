-- Last write wins, for a table with a real key.
INSERT OR REPLACE INTO {table} SELECT * FROM staging

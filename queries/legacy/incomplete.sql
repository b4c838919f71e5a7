-- Rows that lack what every row needs.
SELECT count(*) FROM {table} WHERE {any_missing}

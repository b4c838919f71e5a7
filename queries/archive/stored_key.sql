-- Whether the database has the row of a key.
SELECT count(*) FROM {table} WHERE {key} = $1

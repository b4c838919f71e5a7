-- The rows of a day leave the database.
DELETE FROM {table} WHERE {time} >= $1 AND {time} < $2

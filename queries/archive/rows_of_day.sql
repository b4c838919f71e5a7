-- How many rows a day has.
SELECT count(*) FROM {rows} WHERE {time} >= $1 AND {time} < $2

-- The rows of a span, bounds inclusive, in the order in which they are to be stored again.
SELECT * FROM {table} WHERE {time} BETWEEN $1 AND $2 ORDER BY {time}

-- A day of a table in the order of its file.
SELECT {columns} FROM {rows} WHERE {time} >= $1 AND {time} < $2 ORDER BY {order}

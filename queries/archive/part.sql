-- Rows of a day in the order of its file: those of some labels, in a part of the day.
SELECT {columns} FROM {rows} WHERE {time} >= $1 AND {time} < $2 AND {label} BETWEEN $3 AND $4 ORDER BY {order}

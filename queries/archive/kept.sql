-- What stays of an archived day whose rows have been replaced by rows of other days.
SELECT {columns} FROM ({rows}) ORDER BY {order}

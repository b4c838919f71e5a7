-- The rows of a table, oldest first. Without bounds, rows whose time is no time come too, so that they can be reported.
SELECT {columns} FROM {table}
WHERE ($1::{kind} IS NULL OR {time} >= $1) AND ($2::{kind} IS NULL OR {time} <= $2)
ORDER BY {order}

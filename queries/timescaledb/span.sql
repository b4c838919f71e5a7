-- The first and the last instant of a table.
SELECT min({time}) AS first, max({time}) AS last FROM {table}
WHERE isfinite({time}) AND ($1::{kind} IS NULL OR {time} >= $1) AND ($2::{kind} IS NULL OR {time} <= $2)

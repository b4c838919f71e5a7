-- The days of a table whose rows were dropped.
SELECT epoch_us(day::TIMESTAMP) FROM rollup.dropped WHERE table_name = $1 ORDER BY day

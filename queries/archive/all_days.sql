-- The days of a table that are in the archive.
SELECT epoch_us(day::TIMESTAMP) FROM archive.days WHERE table_name = $1

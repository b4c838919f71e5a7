-- The end of the last day of a table that is in the archive.
SELECT epoch_us(max(day)::TIMESTAMP + INTERVAL 1 DAY) FROM archive.days WHERE table_name = $1

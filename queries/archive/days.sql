-- The archived days of a table that meet a span.
SELECT epoch_us(day::TIMESTAMP), file, late, rows, bytes, checksum, hash, announced
FROM archive.days
WHERE table_name = $1 AND day BETWEEN $2::TIMESTAMP::DATE AND $3::TIMESTAMP::DATE
ORDER BY day

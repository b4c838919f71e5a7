-- The filters of the newest archived days before one, newest first.
SELECT epoch_us(day::TIMESTAMP), keys
FROM archive.days
WHERE table_name = $1 AND day < $2::TIMESTAMP::DATE
ORDER BY day DESC
LIMIT {limit}

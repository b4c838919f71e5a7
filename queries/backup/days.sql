-- The days of a table that have rows, and how many.
SELECT epoch_us(date_trunc('day', {time})::TIMESTAMP) AS day, count(*) AS rows
FROM {table}
GROUP BY 1
ORDER BY 1

-- The hours of a table that have rows, and how many. Infinite instants have no hour: they are NULL, and last.
SELECT epoch_us(date_trunc('hour', {time})::TIMESTAMP) AS hour, count(*) AS rows
FROM {table}
GROUP BY 1
ORDER BY 1 NULLS LAST

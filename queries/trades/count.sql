-- How many fills the same filter matches, before paging.
SELECT count(*) AS total
FROM {rows:trades}
WHERE timestamp BETWEEN $start AND $end
    AND ($symbol::VARCHAR IS NULL OR symbol = $symbol::VARCHAR)
    AND ($side::VARCHAR IS NULL OR side = $side::VARCHAR)

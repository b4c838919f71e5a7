-- From when to when a table has anything: rows in either tier, or buckets that have outlived them.
SELECT epoch_us(min(first)), epoch_us(max(last))
FROM (
    SELECT min(timestamp) AS first, max(timestamp) AS last FROM {table}
    UNION ALL
    SELECT min(day)::TIMESTAMP, max(day)::TIMESTAMP + INTERVAL 1 DAY FROM archive.days WHERE table_name = '{table}'
    {levels}
)

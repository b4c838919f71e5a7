-- Where the first row that is not before an instant may be, in the database or in the archive.
SELECT epoch_us(min(start))
FROM (
    SELECT min(timestamp) AS start FROM {table} WHERE timestamp >= make_timestamp({from})
    UNION ALL
    SELECT greatest(day::TIMESTAMP, make_timestamp({from}))
    FROM archive.days
    WHERE table_name = '{table}' AND day >= make_timestamp({from})::DATE
)

-- Labels of a day, as many at a time as have about {most} rows together. One that has as many by itself is alone.
SELECT min(label), max(label), sum(rows)::BIGINT
FROM (
    SELECT label, rows, (sum(rows) OVER (ORDER BY label) - rows) // {most} AS part, rows >= {most} AS alone
    FROM (
        SELECT {label} AS label, count(*) AS rows FROM {rows} WHERE {time} >= $1 AND {time} < $2 GROUP BY 1
    )
)
GROUP BY part, alone
ORDER BY 1

-- Buckets made of narrower ones.
SELECT
    {bucket} AS bucket,
    {label}
    sum(rows)::BIGINT AS rows{, columns}
FROM {buckets}
GROUP BY {key}

-- What is known of each bucket and label of a span of rows. Whatever is mergeable is here: a bucket of any width is made
-- of narrower ones by merge.sql, and of rows by this.
SELECT
    {bucket} AS bucket,
    {label}
    count(*) AS rows{, columns}
FROM {rows}
WHERE timestamp >= make_timestamp({from}) AND timestamp < make_timestamp({until}) {filter}
GROUP BY {key}

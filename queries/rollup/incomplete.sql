-- Marks the buckets of a level that do not have all the rows that the database has of them, in days that are not
-- archived and of which none were dropped.
INSERT INTO rollup.stale
SELECT DISTINCT '{table}', {minute}, {label_or_none}
FROM {table}
WHERE timestamp >= make_timestamp({from}) AND timestamp < make_timestamp({until})
    AND ({bucket}, {label_or_none}) IN (
        SELECT (stored.bucket, stored.label)
        FROM (
            SELECT {bucket} AS bucket, {label_or_none} AS label, count(*) AS rows
            FROM {table}
            WHERE timestamp >= make_timestamp({from}) AND timestamp < make_timestamp({until})
                AND timestamp::DATE NOT IN (SELECT day FROM archive.days WHERE table_name = '{table}')
                AND timestamp::DATE NOT IN (SELECT day FROM rollup.dropped WHERE table_name = '{table}')
            GROUP BY 1, 2
        ) AS stored
        LEFT JOIN (SELECT bucket, {label_or_none} AS label, rows FROM rollup.{table}_{level}) AS kept
            ON kept.bucket = stored.bucket AND kept.label = stored.label
        WHERE kept.rows IS DISTINCT FROM stored.rows
    )

UNION ALL
    SELECT min(bucket), max(bucket) + INTERVAL 1 HOUR FROM rollup.{table}_{level}

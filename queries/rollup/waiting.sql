-- The buckets of a level in a time range that hold stale ones.
SELECT DISTINCT epoch_us({bucket}) FROM rollup.stale
WHERE table_name = '{table}' AND bucket >= make_timestamp({from}) AND bucket < make_timestamp({until})
ORDER BY 1

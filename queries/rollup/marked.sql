-- The buckets of a time range that wait to be refreshed.
CREATE OR REPLACE TEMP TABLE stale AS
SELECT DISTINCT bucket{, label_named} FROM rollup.stale
WHERE table_name = '{table}' AND bucket >= make_timestamp({from}) AND bucket < make_timestamp({until})

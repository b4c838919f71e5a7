-- Buckets of days whose rows were dropped are not made again.
DELETE FROM stale WHERE bucket::DATE IN (SELECT day FROM rollup.dropped WHERE table_name = '{table}')

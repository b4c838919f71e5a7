-- Buckets of which rows were dropped are not made again.
DELETE FROM stale WHERE bucket < make_timestamp({until})

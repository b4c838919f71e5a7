SELECT DISTINCT epoch_us(bucket) FROM stale ORDER BY 1

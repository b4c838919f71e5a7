-- The first row that is not before an instant.
SELECT epoch_us(min(timestamp)) FROM {table} WHERE timestamp >= make_timestamp({from})

-- The buckets that lose a row, because one that has its key is stored at another time.
SELECT DISTINCT epoch_us(timestamp), {label} FROM {table} SEMI JOIN staging USING ({keys}) WHERE timestamp < make_timestamp({before})

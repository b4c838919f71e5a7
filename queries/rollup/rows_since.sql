SELECT count(*) FROM {table} WHERE timestamp >= make_timestamp({from})

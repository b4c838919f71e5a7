SELECT count(DISTINCT bucket) FROM rollup.{table}_{level} WHERE bucket >= make_timestamp({from})

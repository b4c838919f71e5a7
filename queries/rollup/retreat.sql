DELETE FROM rollup.{table}_{level} WHERE bucket >= make_timestamp({until})

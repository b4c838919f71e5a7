SELECT count(*) FROM rollup.{table}_{level} WHERE bucket < $1

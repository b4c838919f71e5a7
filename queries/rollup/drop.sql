DELETE FROM rollup.{table}_{level} WHERE bucket < $1

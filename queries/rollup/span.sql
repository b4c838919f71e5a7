SELECT {columns} FROM rollup.{table}_{level} WHERE bucket >= make_timestamp({from}) AND bucket < make_timestamp({until}) {filter}

-- The rows of one time range.
SELECT {columns} FROM {rows} WHERE {time} >= make_timestamp({from}) AND {time} < make_timestamp({until})

-- The rows of files. They have the columns of the table, in its order.
SELECT {columns} FROM read_parquet({files}, hive_partitioning = false, union_by_name = false)

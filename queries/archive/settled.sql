-- The rows of archived days of which the database has none. Their files have the columns of the table, in its order.
SELECT {columns} FROM read_parquet({files}, hive_partitioning = false, union_by_name = false)

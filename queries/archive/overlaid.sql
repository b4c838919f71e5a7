-- The rows of archived days without those that rows of the database replace.
SELECT {columns}
FROM read_parquet({files}, hive_partitioning = false, union_by_name = false) AS archived
ANTI JOIN (SELECT {key} FROM {table} WHERE {hot}) AS stored USING ({key})

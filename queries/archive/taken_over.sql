-- The days of archived rows that rows in the database replace.
SELECT DISTINCT epoch_us(date_trunc('day', archived.{time}))
FROM read_parquet({files}, hive_partitioning = false, union_by_name = false) AS archived
SEMI JOIN (SELECT {key} FROM {table} WHERE {hot}) AS stored USING ({key})

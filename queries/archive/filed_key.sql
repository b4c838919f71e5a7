-- Whether a file has the row of a key.
SELECT count(*) FROM read_parquet({files}, hive_partitioning = false, union_by_name = false) WHERE {key} = $1

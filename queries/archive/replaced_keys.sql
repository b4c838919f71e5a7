-- Of the rows of an archived day with one of some keys, when and whose those are that rows of the database replace.
SELECT DISTINCT {time}, {label} AS label
FROM read_parquet({files}, hive_partitioning = false, union_by_name = false) AS archived
SEMI JOIN (SELECT {key} FROM {table} WHERE {key} IN ({keys})) AS stored USING ({key})
WHERE {key} IN ({keys})

-- What an older service gave its tables: keys, as the columns they are of, and indexes, without columns.
SELECT table_name, array_to_string(list_sort(constraint_column_names), ',') AS key_columns
FROM duckdb_constraints()
WHERE database_name = current_database() AND schema_name = 'main' AND constraint_type IN ('PRIMARY KEY', 'UNIQUE')
UNION ALL
SELECT table_name, NULL
FROM duckdb_indexes()
WHERE database_name = current_database() AND schema_name = 'main'

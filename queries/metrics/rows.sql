-- Rows of every table of the database, as its storage counts them: deleted ones count until a checkpoint clears them.
SELECT schema_name, table_name, estimated_size FROM duckdb_tables() WHERE schema_name IN ('main', 'rollup');

-- Bytes of the memory that the engine uses, and of what it has spilled.
SELECT sum(memory_usage_bytes)::BIGINT, sum(temporary_storage_bytes)::BIGINT FROM duckdb_memory();

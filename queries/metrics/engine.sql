-- Bytes of the file that are free, of the memory that the engine uses, and of what it has spilled.
SELECT (SELECT sum(free_blocks * block_size) FROM pragma_database_size())::BIGINT,
       (SELECT sum(memory_usage_bytes) FROM duckdb_memory())::BIGINT,
       (SELECT sum(temporary_storage_bytes) FROM duckdb_memory())::BIGINT;

-- Bytes that queries hold: neither cached blocks of tables, which the engine can drop, nor rows that are not checkpointed yet.
SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT FROM duckdb_memory()
WHERE tag NOT IN ('BASE_TABLE', 'IN_MEMORY_TABLE', 'METADATA', 'EXTERNAL_FILE_CACHE', 'OBJECT_CACHE');

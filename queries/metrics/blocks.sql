-- Bytes of the blocks that hold anything of a table. A block that two tables share counts for both.
WITH segments AS (SELECT * FROM pragma_storage_info('{table}') WHERE persistent),
     blocks AS (SELECT block_id FROM segments UNION SELECT unnest(additional_block_ids) FROM segments)
SELECT (count(*) * (SELECT block_size FROM pragma_database_size() LIMIT 1))::BIGINT FROM blocks WHERE block_id >= 0;

-- Bytes of the blocks that hold anything of a table. A block that two tables share counts for both. The size of a block is
-- not asked of the file: that would wait for a checkpoint, and a checkpoint for it.
WITH segments AS (SELECT * FROM pragma_storage_info('{table}') WHERE persistent),
     blocks AS (SELECT block_id FROM segments UNION SELECT unnest(additional_block_ids) FROM segments)
SELECT (count(*) * current_setting('default_block_size')::BIGINT)::BIGINT FROM blocks WHERE block_id >= 0;

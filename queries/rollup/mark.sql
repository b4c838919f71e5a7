-- The buckets in `stale` wait to be refreshed. Not by looking which of them wait already: a refresh that has begun before
-- this transaction would take those for done.
INSERT INTO rollup.stale SELECT '{table}', bucket, {label_or_none} FROM stale

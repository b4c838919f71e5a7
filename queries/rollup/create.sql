-- The table of one level's buckets: its columns are those that its buckets are made with.
CREATE TABLE IF NOT EXISTS rollup.{table}_{level} AS SELECT * FROM ({buckets}) LIMIT 0

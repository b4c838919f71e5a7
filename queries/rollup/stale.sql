-- The finest buckets that no longer say what their rows say. A new table each time: a temporary table that is emptied
-- keeps its blocks.
CREATE OR REPLACE TEMP TABLE stale AS SELECT bucket{, label} FROM rollup.{table}_{level} LIMIT 0

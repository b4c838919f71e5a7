-- Rows that may replace stored ones wait here within their transaction. A new table each time: a temporary table that
-- is emptied keeps its blocks.
CREATE OR REPLACE TEMP TABLE staging AS FROM {table} LIMIT 0

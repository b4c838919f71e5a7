-- Rows of a table are dropped up to an instant.
INSERT INTO rollup.progress
SELECT '{table}', '{level}', make_timestamp({from}), make_timestamp({from})
WHERE NOT EXISTS (SELECT 1 FROM rollup.progress WHERE table_name = '{table}' AND level = '{level}');
UPDATE rollup.progress
SET rolled_from = greatest(rolled_from, make_timestamp({from})), rolled_until = greatest(rolled_until, make_timestamp({from}))
WHERE table_name = '{table}' AND level = '{level}'

-- Nothing is rolled up yet: from the first instant, up to it.
INSERT INTO rollup.progress
SELECT '{table}', '{level}', make_timestamp({from}), make_timestamp({from})
WHERE NOT EXISTS (SELECT 1 FROM rollup.progress WHERE table_name = '{table}' AND level = '{level}')

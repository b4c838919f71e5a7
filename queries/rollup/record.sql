-- A level reaches further. Not by UPDATE: the engine keeps a transaction that updated until every older question has ended,
-- and makes no checkpoint as long as it keeps one.
INSERT INTO rollup.progress
SELECT table_name, level, rolled_from, make_timestamp({until}) FROM rollup.progress
WHERE table_name = '{table}' AND level = '{level}' AND rolled_until <> make_timestamp({until});
DELETE FROM rollup.progress
WHERE table_name = '{table}' AND level = '{level}' AND rolled_until <> make_timestamp({until})

-- Whatever day before an instant has buckets of a level: its rows count as dropped.
INSERT INTO rollup.dropped
SELECT DISTINCT '{table}', bucket::DATE FROM rollup.{table}_{level} WHERE bucket < make_timestamp({until})
EXCEPT SELECT table_name, day FROM rollup.dropped

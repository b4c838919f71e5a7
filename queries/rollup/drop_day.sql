-- Rows of a day are dropped, for the first time or once more.
INSERT INTO rollup.dropped
SELECT '{table}', make_timestamp({day})::DATE
EXCEPT SELECT table_name, day FROM rollup.dropped

-- The next start compares the buckets of a table with its rows.
INSERT INTO rollup.unchecked SELECT $1 EXCEPT SELECT table_name FROM rollup.unchecked

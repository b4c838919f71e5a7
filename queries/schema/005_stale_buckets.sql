-- The finest buckets whose rows have changed since they were computed: until they are refreshed, they and the wider buckets
-- that they are in are computed from rows. A table without labels has the label ''.
CREATE TABLE IF NOT EXISTS rollup.stale (
    table_name VARCHAR NOT NULL,
    bucket TIMESTAMP NOT NULL,
    label VARCHAR NOT NULL
);

-- Tables of which narrow buckets have been dropped: earlier versions could drop some that wider ones were still to be made
-- of. The next start compares their wider buckets with the rows that are there.
CREATE TABLE IF NOT EXISTS rollup.unchecked AS
SELECT DISTINCT table_name FROM rollup.progress WHERE level <> 'rows' AND rolled_from > TIMESTAMP '0001-01-01';

-- Days of which retention has dropped rows: their buckets say what no row says any more, and are not made again.
CREATE TABLE IF NOT EXISTS rollup.dropped (
    table_name VARCHAR NOT NULL,
    day DATE NOT NULL
);

-- Earlier versions remembered only the last of them, and made no bucket of rows that came for days before it. The next start
-- takes those of these days that have buckets for dropped ones, and rolls up the rows of the others.
INSERT INTO rollup.unchecked
SELECT DISTINCT table_name FROM rollup.progress WHERE level = 'rows'
EXCEPT SELECT table_name FROM rollup.unchecked;

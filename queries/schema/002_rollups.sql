-- Where the buckets of each table and level are, and how far they reach. The tables of buckets are made from
-- queries/rollup: their columns follow from those of the tables.
CREATE SCHEMA IF NOT EXISTS rollup;

CREATE TABLE IF NOT EXISTS rollup.progress (
    table_name VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    -- The first bucket, and the end of the last one.
    rolled_from TIMESTAMP NOT NULL,
    rolled_until TIMESTAMP NOT NULL
);

-- The days whose rows are in the archive: whole days, one file each.
CREATE SCHEMA IF NOT EXISTS archive;

CREATE TABLE IF NOT EXISTS archive.days (
    table_name VARCHAR NOT NULL,
    day DATE NOT NULL,
    -- Rows in the file, and the sum of their hashes in hexadecimal digits.
    rows BIGINT NOT NULL,
    checksum VARCHAR NOT NULL,
    -- Size of the file, and its name relative to the archive.
    bytes BIGINT NOT NULL,
    file VARCHAR NOT NULL,
    -- Whether rows of the day were stored in the database since; they replace those of the file with their key.
    late BOOLEAN NOT NULL
);

-- Whose the archive is: what its file identity.json has to say. One row.
CREATE TABLE IF NOT EXISTS archive.identity (
    -- This database. One that is restored from a backup of it is another.
    database VARCHAR NOT NULL,
    -- What this database wrote into the archive last, and what it is about to write, so that a copy of the database file is
    -- told from the one that went on.
    claim VARCHAR NOT NULL,
    next_claim VARCHAR
);

-- XXH64 of the file's bytes in hexadecimal digits; NULL for files of older versions.
ALTER TABLE archive.days ADD COLUMN IF NOT EXISTS hash VARCHAR;
-- The files that were about to take this one's place since it was recorded, as size:hash, separated by spaces: after an
-- attempt that was overtaken or killed, any of them may be there.
ALTER TABLE archive.days ADD COLUMN IF NOT EXISTS announced VARCHAR;
-- A Bloom filter of the keys in the file, where the key is a text of its own; NULL where it is not, or not known.
ALTER TABLE archive.days ADD COLUMN IF NOT EXISTS keys BLOB;

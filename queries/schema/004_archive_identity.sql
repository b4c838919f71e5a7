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
-- Size and hash of the file that is about to take this one's place.
ALTER TABLE archive.days ADD COLUMN IF NOT EXISTS next_bytes BIGINT;
ALTER TABLE archive.days ADD COLUMN IF NOT EXISTS next_hash VARCHAR;
-- A Bloom filter of the keys in the file, where the key is a text of its own; NULL where it is not, or not known.
ALTER TABLE archive.days ADD COLUMN IF NOT EXISTS keys BLOB;

INSERT INTO archive.days (table_name, day, rows, checksum, bytes, file, late, hash, keys)
VALUES ($1, $2::TIMESTAMP::DATE, $3, $4, $5, $6, $7, $8, $9)

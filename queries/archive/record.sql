INSERT INTO archive.days (table_name, day, rows, checksum, bytes, file, late)
VALUES ($1, $2::TIMESTAMP::DATE, $3, $4, $5, $6, $7)

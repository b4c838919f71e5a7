-- Rows of these days are stored in the database: where a day is archived, they replace those of its file.
UPDATE archive.days SET late = true WHERE table_name = '{table}' AND NOT late AND day IN ({days})

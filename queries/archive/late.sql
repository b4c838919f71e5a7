-- Rows of archived days are stored in the database: they replace those of the file with their key.
UPDATE archive.days SET late = true
WHERE table_name = '{table}' AND NOT late AND day IN (SELECT DISTINCT bucket::DATE FROM stale)

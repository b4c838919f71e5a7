-- The columns of a table as they are in the file.
SELECT column_name, data_type
FROM information_schema.columns
WHERE table_schema = 'main' AND table_name = $1
ORDER BY ordinal_position

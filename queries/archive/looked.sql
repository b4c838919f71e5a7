-- All keys of a table have been looked for.
DELETE FROM archive.unlooked WHERE table_name = $1

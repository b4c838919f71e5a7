-- Whether keys of a table are not looked for yet.
SELECT count(*) FROM archive.unlooked WHERE table_name = $1

-- The columns of a table and the names of their types; none when there is no such table.
SELECT pg_attribute.attname::text AS name, pg_type.typname::text AS kind
FROM pg_attribute JOIN pg_type ON pg_type.oid = pg_attribute.atttypid
WHERE pg_attribute.attrelid = to_regclass($1) AND pg_attribute.attnum > 0 AND NOT pg_attribute.attisdropped
ORDER BY pg_attribute.attnum

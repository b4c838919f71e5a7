-- The same for a table that had no key: of the rows with one key, the last that was written.
INSERT INTO {table}_rebuilt
SELECT {names} FROM {table}
QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY rowid DESC) = 1
ORDER BY {time}

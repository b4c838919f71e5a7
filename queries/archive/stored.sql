-- The rows of the database.
SELECT {columns} FROM {table}

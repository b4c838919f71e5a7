-- The keys of the database's rows after one, some at a time.
SELECT {key} FROM {table} WHERE {key} > $1 ORDER BY {key} LIMIT {limit}

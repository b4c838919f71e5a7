-- The rows of archived days without those that rows of the database replace.
SELECT {columns}
FROM ({archived}) AS archived
ANTI JOIN (SELECT {key} FROM {table} WHERE {hot}) AS stored USING ({key})

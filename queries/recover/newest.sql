-- The newest row of a table.
SELECT max({time}) FROM {table}

-- Buckets of a query of history in their order, where they are too many to be put in order beside the database.
SELECT * FROM ({query}) ORDER BY {order}

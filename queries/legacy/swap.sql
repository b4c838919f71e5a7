-- The old table goes with its indexes.
DROP TABLE {table};
ALTER TABLE {table}_rebuilt RENAME TO {table}

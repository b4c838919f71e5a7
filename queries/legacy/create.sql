CREATE TABLE {table}_rebuilt ({columns})

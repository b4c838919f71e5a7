-- All tables are rebuilt.
DROP TABLE IF EXISTS rebuild_copy

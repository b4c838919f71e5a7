INSERT INTO schema_migrations VALUES ($1, $2, $3)

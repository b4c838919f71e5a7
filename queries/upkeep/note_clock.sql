INSERT INTO upkeep.clock VALUES ($1, $2, $3)

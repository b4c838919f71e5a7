INSERT INTO archive.identity VALUES ($1, $2, NULL)

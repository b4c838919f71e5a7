-- Keys of a table are not looked for yet.
INSERT INTO archive.unlooked VALUES ($1)

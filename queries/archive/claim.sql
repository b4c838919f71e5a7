-- What the archive says of this database, and what it is about to say.
UPDATE archive.identity SET claim = $1, next_claim = $2

SELECT database, claim, next_claim FROM archive.identity

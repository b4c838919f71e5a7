-- The file that is about to take the place of an archived day's.
UPDATE archive.days SET next_bytes = $3, next_hash = $4 WHERE table_name = $1 AND day = $2::TIMESTAMP::DATE

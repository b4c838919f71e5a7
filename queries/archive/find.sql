-- The file of an archived day, and whether the database has rows of it.
SELECT file, late FROM archive.days WHERE table_name = $1 AND day = $2::TIMESTAMP::DATE

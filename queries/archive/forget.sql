DELETE FROM archive.days WHERE table_name = $1 AND day = $2::TIMESTAMP::DATE

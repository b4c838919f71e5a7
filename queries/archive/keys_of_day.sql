-- The filter of an archived day's keys.
SELECT keys FROM archive.days WHERE table_name = $1 AND day = $2::TIMESTAMP::DATE

-- One more file that is about to take the place of an archived day's.
UPDATE archive.days SET announced = concat_ws(' ', announced, concat($3, ':', $4)) WHERE table_name = $1 AND day = $2::TIMESTAMP::DATE

-- How far the roll-ups of a table reach.
SELECT level, epoch_us(rolled_from), epoch_us(rolled_until) FROM rollup.progress WHERE table_name = $1

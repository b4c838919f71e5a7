-- The roll-ups of a level begin later.
UPDATE rollup.progress
SET rolled_from = greatest(rolled_from, $3), rolled_until = greatest(rolled_until, $3)
WHERE table_name = $1 AND level = $2

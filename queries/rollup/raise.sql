-- The rollups of a level begin later.
UPDATE rollup.progress SET rolled_from = greatest(rolled_from, $3) WHERE table_name = $1 AND level = $2

-- How many marks of such buckets there are.
SELECT count(*) AS buckets
FROM rollup.stale JOIN rollup.progress USING (table_name)
WHERE level = 'rows' AND bucket < rolled_from

-- Marks of stale buckets that are in a backup because they are older than the first row that was kept.
SELECT table_name, bucket, label
FROM rollup.stale JOIN rollup.progress USING (table_name)
WHERE level = 'rows' AND bucket < rolled_from

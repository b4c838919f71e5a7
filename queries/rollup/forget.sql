DELETE FROM rollup.{table}_{level} AS buckets
USING (SELECT DISTINCT {bucket} AS bucket{, label} FROM stale) AS stale
WHERE buckets.bucket = stale.bucket {label_match}

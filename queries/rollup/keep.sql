INSERT INTO rollup.{table}_{level} SELECT * FROM ({buckets}) ORDER BY bucket{, label}

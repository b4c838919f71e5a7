-- Buckets of a level before an instant.
SELECT * FROM rollup.{buckets} WHERE bucket < $1

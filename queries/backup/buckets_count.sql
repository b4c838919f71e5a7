-- How many buckets of a level there are before an instant.
SELECT count(*) AS buckets FROM rollup.{buckets} WHERE bucket < $1

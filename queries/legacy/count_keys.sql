-- Rows that remain when the last row of each key wins.
SELECT count(*) FROM (SELECT DISTINCT {key} FROM {table})

-- The days before an instant of which the database has rows, and how many.
SELECT epoch_us(date_trunc('day', {time})), count(*) FROM {table} WHERE {time} < $1 GROUP BY 1 ORDER BY 1

-- The oldest instant of a table in either tier, and the newest one in the database.
SELECT
    epoch_us(least(min(timestamp), (SELECT min(day)::TIMESTAMP FROM archive.days WHERE table_name = '{table}'))),
    epoch_us(max(timestamp))
FROM {table}

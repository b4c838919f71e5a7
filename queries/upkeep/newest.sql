-- The newest instant of a table in either tier.
SELECT epoch_us(greatest(
    max({time}), (SELECT max(day)::TIMESTAMP FROM archive.days WHERE table_name = '{table}')
))
FROM {table}

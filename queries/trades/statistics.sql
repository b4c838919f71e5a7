-- Figures over the fills of a window; zeros when there are none.
SELECT
    count(*) AS count,
    coalesce(sum(quantity * price), 0.0) AS total_volume,
    coalesce(avg(price), 0.0) AS avg_price,
    coalesce(avg(quantity), 0.0) AS avg_size,
    count(*) FILTER (WHERE side = 'buy') AS buy_count,
    count(*) FILTER (WHERE side = 'sell') AS sell_count
FROM trades
WHERE timestamp BETWEEN $start AND $end AND ($symbol::VARCHAR IS NULL OR symbol = $symbol::VARCHAR)

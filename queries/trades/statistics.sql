-- Figures over the fills of a window; zeros when there are none.
SELECT
    coalesce(sum(rows), 0)::BIGINT AS count,
    coalesce(sum(turnover), 0.0) AS total_volume,
    coalesce(sum(price_sum) / sum(price_count), 0.0) AS avg_price,
    coalesce(sum(quantity_sum) / sum(quantity_count), 0.0) AS avg_size,
    coalesce(sum(buy_count), 0)::BIGINT AS buy_count,
    coalesce(sum(sell_count), 0)::BIGINT AS sell_count
FROM {buckets:trades AND ($symbol::VARCHAR IS NULL OR symbol = $symbol::VARCHAR)}

SELECT
    'market_data' AS type,
    make_timestamp(epoch_us(timestamp) // {width} * {width}) AS timestamp,
    symbol,
    avg(last_price) AS avg_price,
    max(last_price) AS high,
    min(last_price) AS low,
    sum(volume)::BIGINT AS total_volume,
    sum(trades)::BIGINT AS total_trades,
    avg(spread_bps) AS avg_spread
FROM market_data
WHERE timestamp BETWEEN make_timestamp({start}) AND make_timestamp({end}) AND {which}
GROUP BY 2, 3
ORDER BY 2 DESC, 3

-- History of market data: one row a bucket and symbol, newest bucket first.
-- The constant is the time from year 1 to 1970: integer division rounds towards zero, buckets must not.
SELECT
    'market_data' AS type,
    make_timestamp((epoch_us(timestamp) + 62135596800000000) // $width * $width - 62135596800000000) AS timestamp,
    symbol,
    avg(last_price) AS avg_price,
    max(last_price) AS high,
    min(last_price) AS low,
    -- A sum that no BIGINT holds becomes the nearest one: one absurd row must not hide all the others.
    CASE
        WHEN sum(volume) > 9223372036854775807 THEN 9223372036854775807
        WHEN sum(volume) < -9223372036854775808 THEN -9223372036854775808
        ELSE sum(volume)
    END::BIGINT AS total_volume,
    sum(trades)::BIGINT AS total_trades,
    avg(spread_bps) AS avg_spread
FROM market_data
WHERE timestamp BETWEEN $start AND $end
    AND (
        len(from_json($symbols::JSON, '["VARCHAR"]')) = 0
        OR list_contains(from_json($symbols::JSON, '["VARCHAR"]'), symbol)
    )
GROUP BY 2, 3
ORDER BY 2 DESC, 3

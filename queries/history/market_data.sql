-- History of market data: one row a bucket and symbol, newest bucket first.
SELECT
    bucket AS timestamp,
    symbol,
    last_price_sum / last_price_count AS avg_price,
    last_price_max AS high,
    last_price_min AS low,
    -- A sum that no BIGINT holds becomes the nearest one: one absurd row must not hide all the others.
    CASE
        WHEN volume_sum_high = 0 THEN volume_sum
        WHEN volume_sum_high IS NOT NULL THEN greatest(
            -9223372036854775808::HUGEINT,
            least(9223372036854775807::HUGEINT, volume_sum_high * 4294967296::HUGEINT + volume_sum)
        )::BIGINT
    END AS total_volume,
    trades_sum AS total_trades,
    spread_bps_sum / spread_bps_count AS avg_spread
-- The condition is left out where symbols are not asked for: all of them are.
FROM {buckets:market_data AND list_contains(from_json($symbols::VARCHAR, '["VARCHAR"]'), symbol)}

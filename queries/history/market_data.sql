-- History of market data: one row a bucket and symbol, newest bucket first.
SELECT
    bucket AS timestamp,
    symbol,
    last_price_sum / last_price_count AS avg_price,
    last_price_max AS high,
    last_price_min AS low,
    -- A sum that no BIGINT holds is not told: another number would be wrong, and an error would hide all other rows.
    CASE
        WHEN volume_sum_high = 0 THEN volume_sum
        ELSE TRY_CAST(volume_sum_high * 4294967296::HUGEINT + volume_sum AS BIGINT)
    END AS total_volume,
    trades_sum AS total_trades,
    spread_bps_sum / spread_bps_count AS avg_spread
-- The condition is left out where symbols are not asked for: all of them are.
FROM {buckets:market_data AND list_contains(from_json($symbols::VARCHAR, '["VARCHAR"]'), symbol)}

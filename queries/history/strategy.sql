-- History of strategy_metrics: the last row of each bucket and strategy_name, newest bucket first.
-- The constant is the time from year 1 to 1970: integer division rounds towards zero, buckets must not.
SELECT
    'strategy' AS type,
    make_timestamp((epoch_us(timestamp) + 62135596800000000) // $width * $width - 62135596800000000) AS timestamp,
    strategy_name,
    arg_max_null(pnl, timestamp) AS pnl,
    arg_max_null(daily_pnl, timestamp) AS daily_pnl,
    arg_max_null(positions, timestamp) AS positions,
    arg_max_null(signals, timestamp) AS signals,
    arg_max_null(win_rate, timestamp) AS win_rate
FROM strategy_metrics
WHERE timestamp BETWEEN $start AND $end
GROUP BY 2, 3
ORDER BY 2 DESC, 3

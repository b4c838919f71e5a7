-- History of execution_metrics: the last row of each bucket, newest bucket first.
-- The constant is the time from year 1 to 1970: integer division rounds towards zero, buckets must not.
SELECT
    'execution' AS type,
    make_timestamp((epoch_us(timestamp) + 62135596800000000) // $width * $width - 62135596800000000) AS timestamp,
    arg_max_null(orders_submitted, timestamp) AS orders_submitted,
    arg_max_null(orders_filled, timestamp) AS orders_filled,
    arg_max_null(orders_cancelled, timestamp) AS orders_cancelled,
    arg_max_null(orders_rejected, timestamp) AS orders_rejected,
    arg_max_null(fill_rate, timestamp) AS fill_rate,
    arg_max_null(avg_latency_ms, timestamp) AS avg_latency_ms,
    arg_max_null(avg_slippage_bps, timestamp) AS avg_slippage_bps
FROM execution_metrics
WHERE timestamp BETWEEN $start AND $end
GROUP BY 2
ORDER BY 2 DESC

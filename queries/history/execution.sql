-- History of execution_metrics: the last row of each bucket, newest bucket first.
SELECT
    bucket AS timestamp,
    orders_submitted_end AS orders_submitted,
    orders_filled_end AS orders_filled,
    orders_cancelled_end AS orders_cancelled,
    orders_rejected_end AS orders_rejected,
    fill_rate_end AS fill_rate,
    avg_latency_ms_end AS avg_latency_ms,
    avg_slippage_bps_end AS avg_slippage_bps
FROM {buckets:execution_metrics}

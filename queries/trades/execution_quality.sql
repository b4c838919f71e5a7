-- What became of the orders of a window: its last row, whose counts run since midnight.
SELECT
    coalesce(max(fill_rate_end), 0.0) AS fill_rate,
    coalesce(max(avg_latency_ms_end), 0.0) AS avg_latency_ms,
    coalesce(max(avg_slippage_bps_end), 0.0) AS avg_slippage_bps,
    coalesce(max(orders_rejected_end / nullif(orders_submitted_end, 0)), 0.0) AS rejection_rate,
    coalesce(max(orders_cancelled_end / nullif(orders_submitted_end, 0)), 0.0) AS cancellation_rate
FROM {buckets:execution_metrics}

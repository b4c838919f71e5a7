-- What became of the orders of a window: its last row, whose counts run since midnight.
SELECT
    coalesce(arg_max_null(fill_rate, timestamp), 0.0) AS fill_rate,
    coalesce(arg_max_null(avg_latency_ms, timestamp), 0.0) AS avg_latency_ms,
    coalesce(arg_max_null(avg_slippage_bps, timestamp), 0.0) AS avg_slippage_bps,
    coalesce(arg_max_null(orders_rejected / nullif(orders_submitted, 0), timestamp), 0.0) AS rejection_rate,
    coalesce(arg_max_null(orders_cancelled / nullif(orders_submitted, 0), timestamp), 0.0) AS cancellation_rate
FROM execution_metrics
WHERE timestamp BETWEEN $start AND $end

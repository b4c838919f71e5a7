-- History of execution_metrics as it was written: every row, newest first.
SELECT
    timestamp,
    orders_submitted,
    orders_filled,
    orders_cancelled,
    orders_rejected,
    fill_rate,
    avg_latency_ms,
    avg_slippage_bps
FROM {rows:execution_metrics}
WHERE timestamp BETWEEN $start AND $end
ORDER BY timestamp DESC

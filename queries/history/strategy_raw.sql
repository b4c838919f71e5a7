-- History of strategy_metrics as it was written: every row, newest first.
SELECT
    timestamp,
    strategy_name,
    pnl,
    daily_pnl,
    positions,
    signals,
    win_rate
FROM {rows:strategy_metrics}
WHERE timestamp BETWEEN $start AND $end
ORDER BY timestamp DESC, strategy_name

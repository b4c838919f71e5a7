-- History of strategy_metrics: the last row of each bucket and strategy_name, newest bucket first.
SELECT
    bucket AS timestamp,
    strategy_name,
    pnl_end AS pnl,
    daily_pnl_end AS daily_pnl,
    positions_end AS positions,
    signals_end AS signals,
    win_rate_end AS win_rate
FROM {buckets:strategy_metrics}

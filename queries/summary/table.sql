-- One row a metric type, label and numeric column of the window. Nulls do not count.
WITH figures AS (
    SELECT 1 AS place, 'market_data' AS type, symbol AS label, figure.*
    FROM {buckets:market_data}, LATERAL (VALUES
        ('last_price', last_price_count, last_price_sum, last_price_min, last_price_max, last_price_first, last_price_last),
        ('bid', bid_count, bid_sum, bid_min, bid_max, bid_first, bid_last),
        ('ask', ask_count, ask_sum, ask_min, ask_max, ask_first, ask_last),
        ('volume', volume_count, (volume_sum_high * 4294967296::DOUBLE + volume_sum), volume_min, volume_max, volume_first, volume_last),
        ('trades', trades_count, trades_sum, trades_min, trades_max, trades_first, trades_last),
        ('spread_bps', spread_bps_count, spread_bps_sum, spread_bps_min, spread_bps_max, spread_bps_first, spread_bps_last)
    ) AS figure(name, count, sum, min, max, first, last)
    UNION ALL
    SELECT 2 AS place, 'strategy' AS type, strategy_name AS label, figure.*
    FROM {buckets:strategy_metrics}, LATERAL (VALUES
        ('pnl', pnl_count, pnl_sum, pnl_min, pnl_max, pnl_first, pnl_last),
        ('daily_pnl', daily_pnl_count, daily_pnl_sum, daily_pnl_min, daily_pnl_max, daily_pnl_first, daily_pnl_last),
        ('positions', positions_count, positions_sum, positions_min, positions_max, positions_first, positions_last),
        ('signals', signals_count, signals_sum, signals_min, signals_max, signals_first, signals_last),
        ('win_rate', win_rate_count, win_rate_sum, win_rate_min, win_rate_max, win_rate_first, win_rate_last)
    ) AS figure(name, count, sum, min, max, first, last)
    UNION ALL
    SELECT 3 AS place, 'execution' AS type, NULL::VARCHAR AS label, figure.*
    FROM {buckets:execution_metrics}, LATERAL (VALUES
        ('orders_submitted', orders_submitted_count, orders_submitted_sum, orders_submitted_min, orders_submitted_max, orders_submitted_first, orders_submitted_last),
        ('orders_filled', orders_filled_count, orders_filled_sum, orders_filled_min, orders_filled_max, orders_filled_first, orders_filled_last),
        ('orders_cancelled', orders_cancelled_count, orders_cancelled_sum, orders_cancelled_min, orders_cancelled_max, orders_cancelled_first, orders_cancelled_last),
        ('orders_rejected', orders_rejected_count, orders_rejected_sum, orders_rejected_min, orders_rejected_max, orders_rejected_first, orders_rejected_last),
        ('fill_rate', fill_rate_count, fill_rate_sum, fill_rate_min, fill_rate_max, fill_rate_first, fill_rate_last),
        ('avg_latency_ms', avg_latency_ms_count, avg_latency_ms_sum, avg_latency_ms_min, avg_latency_ms_max, avg_latency_ms_first, avg_latency_ms_last),
        ('avg_slippage_bps', avg_slippage_bps_count, avg_slippage_bps_sum, avg_slippage_bps_min, avg_slippage_bps_max, avg_slippage_bps_first, avg_slippage_bps_last)
    ) AS figure(name, count, sum, min, max, first, last)
    UNION ALL
    SELECT 4 AS place, 'system' AS type, NULL::VARCHAR AS label, figure.*
    FROM {buckets:system_metrics}, LATERAL (VALUES
        ('cpu_percent', cpu_percent_count, cpu_percent_sum, cpu_percent_min, cpu_percent_max, cpu_percent_first, cpu_percent_last),
        ('memory_percent', memory_percent_count, memory_percent_sum, memory_percent_min, memory_percent_max, memory_percent_first, memory_percent_last),
        ('disk_usage_percent', disk_usage_percent_count, disk_usage_percent_sum, disk_usage_percent_min, disk_usage_percent_max, disk_usage_percent_first, disk_usage_percent_last),
        ('uptime_seconds', uptime_seconds_count, uptime_seconds_sum, uptime_seconds_min, uptime_seconds_max, uptime_seconds_first, uptime_seconds_last),
        ('active_alerts', active_alerts_count, active_alerts_sum, active_alerts_min, active_alerts_max, active_alerts_first, active_alerts_last)
    ) AS figure(name, count, sum, min, max, first, last)
)
SELECT type, label, name AS column, count, sum / count AS mean, min, max, first, last
FROM figures
WHERE count > 0
ORDER BY place, label, name

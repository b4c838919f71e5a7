-- One row a metric type, label and numeric column of the window. Nulls do not count.
WITH market_rows AS (
    UNPIVOT (
        SELECT timestamp, symbol AS label, last_price, bid, ask, volume::DOUBLE AS volume, trades::DOUBLE AS trades, spread_bps
        FROM market_data
        WHERE timestamp BETWEEN $start AND $end
    ) ON COLUMNS(* EXCLUDE (timestamp, label)) INTO NAME column_name VALUE value
), strategy_rows AS (
    UNPIVOT (
        SELECT
            timestamp, strategy_name AS label, pnl, daily_pnl, positions::DOUBLE AS positions, signals::DOUBLE AS signals,
            win_rate
        FROM strategy_metrics
        WHERE timestamp BETWEEN $start AND $end
    ) ON COLUMNS(* EXCLUDE (timestamp, label)) INTO NAME column_name VALUE value
), execution_rows AS (
    UNPIVOT (
        SELECT
            timestamp, NULL::VARCHAR AS label, orders_submitted::DOUBLE AS orders_submitted,
            orders_filled::DOUBLE AS orders_filled, orders_cancelled::DOUBLE AS orders_cancelled,
            orders_rejected::DOUBLE AS orders_rejected, fill_rate, avg_latency_ms, avg_slippage_bps
        FROM execution_metrics
        WHERE timestamp BETWEEN $start AND $end
    ) ON COLUMNS(* EXCLUDE (timestamp, label)) INTO NAME column_name VALUE value
), system_rows AS (
    UNPIVOT (
        SELECT
            timestamp, NULL::VARCHAR AS label, cpu_percent, memory_percent, disk_usage_percent, uptime_seconds,
            active_alerts::DOUBLE AS active_alerts
        FROM system_metrics
        WHERE timestamp BETWEEN $start AND $end
    ) ON COLUMNS(* EXCLUDE (timestamp, label)) INTO NAME column_name VALUE value
), all_rows AS (
    SELECT 1 AS place, 'market_data' AS type, * FROM market_rows
    UNION ALL SELECT 2, 'strategy', * FROM strategy_rows
    UNION ALL SELECT 3, 'execution', * FROM execution_rows
    UNION ALL SELECT 4, 'system', * FROM system_rows
)
SELECT
    type,
    label,
    column_name AS column,
    count(*) AS count,
    avg(value) AS mean,
    min(value) AS min,
    max(value) AS max,
    arg_min(value, timestamp) AS first,
    arg_max(value, timestamp) AS last
FROM all_rows
GROUP BY place, type, label, column_name
ORDER BY place, label, column_name

-- History of system_metrics: the last row of each bucket, newest bucket first.
-- The constant is the time from year 1 to 1970: integer division rounds towards zero, buckets must not.
SELECT
    'system' AS type,
    make_timestamp((epoch_us(timestamp) + 62135596800000000) // $width * $width - 62135596800000000) AS timestamp,
    arg_max_null(cpu_percent, timestamp) AS cpu_percent,
    arg_max_null(memory_percent, timestamp) AS memory_percent,
    arg_max_null(disk_usage_percent, timestamp) AS disk_usage_percent,
    arg_max_null(uptime_seconds, timestamp) AS uptime_seconds,
    arg_max_null(health_status, timestamp) AS health_status,
    arg_max_null(active_alerts, timestamp) AS active_alerts
FROM system_metrics
WHERE timestamp BETWEEN $start AND $end
GROUP BY 2
ORDER BY 2 DESC

-- History of system_metrics as it was written: every row, newest first.
SELECT
    timestamp,
    cpu_percent,
    memory_percent,
    disk_usage_percent,
    uptime_seconds,
    health_status,
    active_alerts
FROM {rows:system_metrics}
WHERE timestamp BETWEEN $start AND $end
ORDER BY timestamp DESC

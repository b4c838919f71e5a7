-- History of system_metrics: the last row of each bucket, newest bucket first.
SELECT
    bucket AS timestamp,
    cpu_percent_end AS cpu_percent,
    memory_percent_end AS memory_percent,
    disk_usage_percent_end AS disk_usage_percent,
    uptime_seconds_end AS uptime_seconds,
    health_status_end AS health_status,
    active_alerts_end AS active_alerts
FROM {buckets:system_metrics}

-- The last row, with its nulls.
    arg_max_null(cpu_percent, timestamp) AS cpu_percent_end,
    arg_max_null(memory_percent, timestamp) AS memory_percent_end,
    arg_max_null(disk_usage_percent, timestamp) AS disk_usage_percent_end,
    arg_max_null(uptime_seconds, timestamp) AS uptime_seconds_end,
    arg_max_null(health_status, timestamp) AS health_status_end,
    arg_max_null(active_alerts, timestamp) AS active_alerts_end

arg_max_null(cpu_percent_end, bucket) AS cpu_percent_end,
    arg_max_null(memory_percent_end, bucket) AS memory_percent_end,
    arg_max_null(disk_usage_percent_end, bucket) AS disk_usage_percent_end,
    arg_max_null(uptime_seconds_end, bucket) AS uptime_seconds_end,
    arg_max_null(health_status_end, bucket) AS health_status_end,
    arg_max_null(active_alerts_end, bucket) AS active_alerts_end

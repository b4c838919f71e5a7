//! How the machine is doing.

use super::declare::declare_table;

declare_table! {
    /// Load and health of the machine that runs the server, once a second.
    SYSTEM_METRICS, SystemMetricsRow, "system_metrics",
    "Load and health of the machine that runs the server, once a second.",
    key: ["timestamp"], label: None,
    columns: {
        timestamp: Timestamp required, "When the values were observed, naive UTC.";
        cpu_percent: Double nullable, "Load of all processors together, 0 to 100.";
        memory_percent: Double nullable, "Memory in use, 0 to 100.";
        disk_usage_percent: Double nullable, "Space in use on the disk that holds the database, 0 to 100.";
        uptime_seconds: Double nullable, "Seconds since the server started.";
        health_status: Text nullable, "healthy, degraded or unhealthy.";
        active_alerts: Integer nullable, "Alerts raised and not yet cleared.";
    }
}

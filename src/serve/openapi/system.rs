//! The machine, the collectors, the log.

use serde_json::json;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::schema::Type;

use super::Draft;
use super::operation::{answer, operation, query, segment, validation_error};
use super::schema::{
    any_object, boolean, integer, list, map, named, nullable, nullable_list, nullable_time, number, object, optional,
    required, string, time,
};

const TAG: Option<&str> = Some("system");

pub(super) fn describe(draft: Draft) -> Draft {
    draft
        .get(
            "/api/system/health",
            operation(TAG, "get_system_health_api_system_health_get", "Machine, connections and alerts")
                .response("200", answer(named("SystemHealth"))),
        )
        .get(
            "/api/system/performance",
            operation(TAG, "get_performance_metrics_api_system_performance_get", "How fast the server answers")
                .response("200", answer(named("PerformanceMetrics"))),
        )
        .get(
            "/api/system/components",
            operation(TAG, "get_component_status_api_system_components_get", "Collectors and WebSocket clients")
                .response("200", answer(components())),
        )
        .get(
            "/api/system/logs/recent",
            operation(TAG, "get_recent_logs_api_system_logs_recent_get", "The newest lines of the log, newest last")
                .parameter(query("level", "This level and worse ones.", string("").default(Some(json!("INFO")))))
                .parameter(query("limit", "At most this many, 0 to 1000.", integer("").default(Some(json!(100)))))
                .response("200", answer(logs()))
                .response("422", validation_error()),
        )
        .post(
            "/api/system/alerts/acknowledge/{alert_id}",
            operation(
                TAG,
                "acknowledge_alert_api_system_alerts_acknowledge__alert_id__post",
                "Mark an alert as seen; an unknown id is no error",
            )
            .parameter(segment("alert_id", "The alert's id.", string("")))
            .response("200", answer(acknowledged()))
            .response("422", validation_error()),
        )
        .get(
            "/api/system/stats",
            operation(TAG, "get_system_statistics_api_system_stats_get", "Counters of the server and its collectors")
                .response("200", answer(stats())),
        )
        .schema("SystemHealth", health())
        .schema("ComponentStatus", component_status())
        .schema("PerformanceMetrics", performance())
}

fn health() -> ObjectBuilder {
    object(
        "Whether machine and connections are well.",
        [
            required("status", string("`healthy`, `degraded` or `unhealthy`.")),
            required("components", map("`cpu`, `memory`, `disk`.", named("ComponentStatus"))),
            required("resources", map("Percentages in use.", number(""))),
            required("connections", map("`market_data`, `execution`, `database`: whether they answer.", string(""))),
            optional("alerts", nullable_list("Alerts that hold now.", any_object("An alert."))),
        ],
    )
}

fn component_status() -> ObjectBuilder {
    object(
        "One part of the machine.",
        [
            required("status", string("`healthy`, `degraded` or, for the disk, `critical`.")),
            optional("usage_percent", nullable("Percentage in use.", Type::Number)),
            optional("message", nullable("What is wrong.", Type::String)),
            optional("last_updated", nullable_time("When it was measured.")),
        ],
    )
}

fn performance() -> ObjectBuilder {
    object(
        "Measured over recent requests; 0 before the first one.",
        [
            required("latency_p50", number("Median time of an answer, in milliseconds.")),
            required("latency_p95", number("95th percentile, in milliseconds.")),
            required("latency_p99", number("99th percentile, in milliseconds.")),
            required("throughput_per_sec", number("Answers a second.")),
            required("cpu_usage", number("Load of all processors, in percent.")),
            required("memory_usage", number("Memory in use, in percent.")),
            required("queue_depth", integer("Batches that wait for the database.")),
        ],
    )
}

fn components() -> ObjectBuilder {
    object(
        "",
        [
            required("status", string("`healthy` when every component is, else `degraded`.")),
            required(
                "components",
                map(
                    "The four collectors, `websocket` and `rollups` (`state`: `waiting`, `filling` or `current`); `backup` where backups are \
                     scheduled, and `archive` once it has run.",
                    any_object(""),
                ),
            ),
            required("timestamp", time("When the answer was made.")),
        ],
    )
}

fn logs() -> ObjectBuilder {
    let entry = object(
        "",
        [
            required("timestamp", time("When it was written.")),
            required("level", string("Its level.")),
            required("target", string("The part of the program that wrote it.")),
            required("message", string("Its text.")),
        ],
    );
    object(
        "",
        [
            required("logs", list("Newest last.", entry)),
            required("count", integer("Number of entries.")),
            required("level", string("The level that was asked for.")),
        ],
    )
}

fn acknowledged() -> ObjectBuilder {
    object("", [required("status", string("`acknowledged`.")), required("alert_id", string("The id."))])
}

fn stats() -> ObjectBuilder {
    let api = object(
        "",
        [
            required("running", boolean("")),
            required("websocket_connections", integer("Clients connected now.")),
            required("total_messages_sent", integer("Messages sent to clients so far.")),
        ],
    );
    let collector = object(
        "",
        [
            required("name", string("")),
            required("status", string("`ready` or `stopped`.")),
            required("uptime", nullable("Seconds since its task began.", Type::Number)),
            required("metrics_collected", integer("Rows so far.")),
            required("errors", integer("Errors survived so far.")),
            required("error_rate", number("Errors for each row.")),
        ],
    );
    object("", [required("api", api), required("collectors", map("By collector.", collector))])
}

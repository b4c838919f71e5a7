//! `/api/system/…`: the machine, what requests take, the log, and alerts.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use tracing::Level;

use super::validation::Parameters;
use super::{ApiError, AppState, health};
use crate::time;

/// Most log lines of one answer.
const MOST_LOGS: usize = 1_000;

/// How the machine fares, whether the sources and the database answer, and what is wrong.
pub async fn health(State(state): State<AppState>) -> Json<Value> {
    let system = state.live.snapshot().system.values.clone();
    let database = if health::database_answers(&state).await { "connected" } else { "disconnected" };
    let alerts = state.live.alerts.list();
    let part = |percent: f64, limit: f64, beyond: &str, what: &str| {
        json!({
            "status": if percent < limit { "healthy" } else { beyond },
            "usage_percent": percent,
            "message": format!("{what}: {percent:.1} % in use"),
            "last_updated": time::format_naive(system.timestamp),
        })
    };
    Json(json!({
        "status": system.health,
        "components": {
            "cpu": part(system.cpu_percent, 80.0, "degraded", "processors"),
            "memory": part(system.memory_percent, 80.0, "degraded", "memory"),
            "disk": part(system.disk_usage_percent, 90.0, "critical", "the database's disk"),
        },
        "resources": {
            "cpu": system.cpu_percent,
            "memory": system.memory_percent,
            "disk": system.disk_usage_percent,
        },
        "connections": {
            "market_data": state.live.components.market_data.state().connection.as_str(),
            "execution": state.live.components.execution.state().connection.as_str(),
            "database": database,
        },
        "alerts": if alerts.is_empty() { Value::Null } else { json!(alerts) },
    }))
}

/// What requests took in the last minute, and what waits for the writer.
pub async fn performance(State(state): State<AppState>) -> Json<Value> {
    let figures = state.traffic.figures();
    let system = state.live.snapshot().system.values.clone();
    Json(json!({
        "latency_p50": figures.p50,
        "latency_p95": figures.p95,
        "latency_p99": figures.p99,
        "throughput_per_sec": figures.per_second,
        "cpu_usage": system.cpu_percent,
        "memory_usage": system.memory_percent,
        "queue_depth": state.batches.depth(),
    }))
}

/// The last lines of the log at a level or above, newest last. The level is given back as it came.
pub async fn recent_logs(State(state): State<AppState>, mut parameters: Parameters) -> Result<Json<Value>, ApiError> {
    let limit = parameters.integer("limit", 100);
    parameters.finish()?;
    let limit = usize::try_from(limit).unwrap_or(0).min(MOST_LOGS);
    let level = parameters.text_or("level", "INFO");
    let logs = state.logs.recent(level_of(level), limit);
    Ok(Json(json!({ "logs": logs, "count": logs.len(), "level": level })))
}

/// Notes that somebody has seen an alert. An id that is not raised is no error: the alert may just have ended.
pub async fn acknowledge(State(state): State<AppState>, Path(id): Path<String>) -> Json<Value> {
    state.live.alerts.acknowledge(&id);
    Json(json!({ "status": "acknowledged", "alert_id": id }))
}

/// A level in the words of either world; what is none counts as `INFO`.
fn level_of(text: &str) -> Level {
    match text.to_ascii_lowercase().as_str() {
        "critical" | "error" => Level::ERROR,
        "warning" | "warn" => Level::WARN,
        "debug" => Level::DEBUG,
        "trace" => Level::TRACE,
        _ => Level::INFO,
    }
}

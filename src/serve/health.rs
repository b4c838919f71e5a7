//! `/health…`: for load balancers and supervisors.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::AppState;
use crate::time;

/// Where it is asked whether the process lives: this is answered whatever others do.
pub const LIVE: &str = "/health/live";
/// Where it is asked whether it works.
pub const READY: &str = "/health/ready";

/// The server answers.
pub async fn service() -> Json<Value> {
    Json(json!({ "status": "healthy", "service": "observability-api" }))
}

/// Whether every collector works and the database answers a query; 503 if not.
pub async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    let patience = state.patience();
    let collectors = state.live.components.all().map(|collector| (collector.name, collector.is_alive(patience)));
    let database = database_answers(&state).await;
    let ready = database && collectors.iter().all(|(_, alive)| *alive);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let collectors: Map<String, Value> =
        collectors.into_iter().map(|(name, alive)| (name.to_owned(), alive.into())).collect();
    (status, Json(json!({ "ready": ready, "collectors": collectors })))
}

/// The process lives, and for how long it has.
pub async fn live(State(state): State<AppState>) -> Json<Value> {
    Json(json!({
        "alive": true,
        "websocket_connections": state.websockets.count(),
        "uptime_seconds": time::monotonic_seconds(),
    }))
}

/// Whether the database answers; why not is in the log. After a failed commit it may still answer, and wrongly.
pub(super) async fn database_answers(state: &AppState) -> bool {
    if state.store.failure.is_raised() {
        return false;
    }
    match state.queries.check().await {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(%error, "the database does not answer");
            false
        }
    }
}

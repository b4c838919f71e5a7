//! `/api/system/components` and `/stats`: what each part of the server is doing.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::AppState;
use crate::live::Collector;
use crate::tables::TABLES;
use crate::time;

/// Every collector, the live stream and the roll-ups; beside them backups where they are taken by themselves, and the archive once
/// it has run. Where a collector's values come from stands beside it, so that simulated values
/// are not taken for real ones.
pub async fn components(State(state): State<AppState>) -> Json<Value> {
    let websocket = state.websockets.statistics();
    let mut healthy = matches!(websocket.status, "healthy" | "ready");
    let mut components = Map::new();
    for collector in state.live.components.all() {
        let account = Account::of(collector, &state);
        healthy &= account.status == READY;
        let source = collector.state();
        let object = json!({
            "name": collector.name,
            "status": account.status,
            "uptime_seconds": account.uptime,
            "metrics_collected": account.collected,
            "errors": account.errors,
            "connection": source.connection.as_str(),
            "source": source.source,
            "skipped_samples": collector.skipped(),
            "left_out_samples": collector.left_out(),
            "left_out_labels": collector.hidden(),
            "last_error": source.last_error,
        });
        components.insert(collector.name.to_owned(), object);
    }
    components.insert("websocket".to_owned(), json!(websocket));
    if state.settings.backup.every.is_some() {
        let last = state.backups.last();
        healthy &= last.error.is_none();
        let object = json!({
            "name": "backup",
            "status": if last.error.is_none() { READY } else { "failing" },
            "location": state.backups.location().to_string(),
            "last_backup": last.taken,
            "errors": last.errors,
            "last_error": last.error,
        });
        components.insert("backup".to_owned(), object);
    }
    let upkeep = state.upkeep.last();
    if upkeep.ended_at.is_some() {
        healthy &= upkeep.last_error.is_none();
        let mut object = json!({
            "name": "archive",
            "status": if upkeep.last_error.is_none() { READY } else { "failing" },
        });
        if let (Some(object), Value::Object(figures)) = (object.as_object_mut(), json!(upkeep)) {
            object.extend(figures);
        }
        components.insert("archive".to_owned(), object);
    }
    components.insert("rollups".to_owned(), rollups(&state));
    Json(json!({
        "status": if healthy { "healthy" } else { "degraded" },
        "components": components,
        "timestamp": time::format_naive(time::now()),
    }))
}

/// How far the roll-ups are, of each table that has any. That they are behind, or wait for the first bucket to be complete, is no
/// illness: rows answer meanwhile.
fn rollups(state: &AppState) -> Value {
    let tables = state.store.rollups.watch().borrow().clone();
    let begun: Map<String, Value> = tables
        .iter()
        .filter(|(_, progress)| progress.has_buckets || progress.is_filling())
        .map(|(table, progress)| {
            let table_of_name = TABLES.into_iter().find(|known| known.name == *table);
            let object = json!({
                "state": if progress.is_filling() { "filling" } else { "current" },
                "lag_seconds": time::seconds(progress.lag),
                "share": progress.share,
                "stale_hours": progress.stale_hours,
                "replaced_rows_pending": table_of_name.is_some_and(|table| state.store.new_keys.are_pending(table)),
            });
            ((*table).to_owned(), object)
        })
        .collect();
    let filling = tables.values().any(|progress| progress.is_filling());
    let state = match (begun.is_empty(), filling) {
        (true, _) => "waiting",
        (false, true) => "filling",
        (false, false) => "current",
    };
    json!({ "name": "rollups", "status": READY, "state": state, "tables": begun })
}

/// Counters of the API and of every collector.
pub async fn statistics(State(state): State<AppState>) -> Json<Value> {
    let mut collectors = Map::new();
    for collector in state.live.components.all() {
        let account = Account::of(collector, &state);
        let object = json!({
            "name": collector.name,
            "status": account.status,
            "uptime": account.uptime,
            "metrics_collected": account.collected,
            "errors": account.errors,
            "error_rate": account.error_rate(),
        });
        collectors.insert(collector.name.to_owned(), object);
    }
    Json(json!({
        "api": {
            "running": !state.shutdown.is_cancelled(),
            "websocket_connections": state.websockets.count(),
            "total_messages_sent": state.websockets.messages_sent(),
        },
        "collectors": collectors,
    }))
}

const READY: &str = "ready";

/// What both pages say of a collector.
struct Account {
    status: &'static str,
    uptime: Option<f64>,
    collected: u64,
    errors: u64,
}

impl Account {
    fn of(collector: &Collector, state: &AppState) -> Self {
        Self {
            status: if collector.is_alive(state.patience()) { READY } else { "stopped" },
            uptime: collector.state().running_since.map(|since| since.elapsed().as_secs_f64()),
            collected: collector.collected(),
            errors: collector.errors(),
        }
    }

    /// Errors among everything that was attempted, 0 to 1.
    fn error_rate(&self) -> f64 {
        let attempts = self.collected.saturating_add(self.errors);
        if attempts == 0 { 0.0 } else { self.errors as f64 / attempts as f64 }
    }
}

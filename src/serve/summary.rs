//! `/api/metrics/summary`: the newest values in short, or a table of figures over a time range.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::respond::{self, Wanted};
use super::validation::{Moment, Parameters};
use super::{ApiError, AppState};
use crate::encode::{self, Format};
use crate::live::Snapshot;
use crate::query::{TimeRange, Window};
use crate::time;

/// Without a time range, and as JSON, the newest values; else one row for each metric type, label and column.
pub async fn summary(
    State(state): State<AppState>,
    Wanted(format): Wanted,
    mut parameters: Parameters,
) -> Result<Response, ApiError> {
    let range = parameters.time_range("time_range");
    parameters.finish()?;
    if range.is_none() && format == Format::Json {
        return Ok(Json(in_short(&state.live.snapshot())).into_response());
    }
    let window = range.unwrap_or(TimeRange::Hours24).until(time::now());
    let batches = state.queries.summary(window).await?;
    match format {
        Format::Json => {
            let document = encode::json::document(opening(window), encode::one_part(batches), |rows| {
                format!(r#"],"count":{rows}}}"#).into_bytes()
            });
            respond::bytes(&state.store.responses, format, "summary", document).await
        }
        _ => respond::rows(&state.store.responses, format, "summary", batches).await,
    }
}

fn opening(window: Window) -> Vec<u8> {
    let (start, end) = (Moment::naive(window.start), Moment::naive(window.end));
    format!(r#"{{"start_time":"{start}","end_time":"{end}","data":["#).into_bytes()
}

fn in_short(snapshot: &Snapshot) -> Value {
    let market_data = &snapshot.market_data.values;
    let strategy = &snapshot.strategy.values;
    let execution = &snapshot.execution.values;
    let system = &snapshot.system.values;
    json!({
        "timestamp": time::format_naive(time::now()),
        "market": {
            "symbols_tracked": market_data.symbols_tracked,
            "total_trades": market_data.total_trades,
            "total_volume": market_data.total_volume,
        },
        "strategy": {
            "active_strategies": strategy.strategies.len(),
            "total_pnl": strategy.total_pnl,
            "daily_pnl": strategy.daily_pnl,
            "open_positions": strategy.open_positions,
        },
        "execution": {
            "orders_today": execution.orders_today,
            "fills_today": execution.fills_today,
            "fill_rate": execution.fill_rate,
            "avg_latency_ms": execution.avg_latency_ms,
        },
        "system": {
            "cpu_usage": system.cpu_percent,
            "memory_usage": system.memory_percent,
            "uptime_seconds": system.uptime,
            "health_status": system.health,
        },
    })
}

//! `/api/metrics/current` and `/symbols`: the newest values.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::{AppState, respond};
use crate::live::Live;
use crate::time;

/// The newest values of every section. Sections are JSON text already; they are only joined.
pub async fn current(State(live): State<Arc<Live>>) -> Response {
    let snapshot = live.snapshot();
    let sections = [
        (&b"\",\"market_data\":"[..], &snapshot.market_data.json),
        (b",\"strategy\":", &snapshot.strategy.json),
        (b",\"execution\":", &snapshot.execution.json),
        (b",\"system\":", &snapshot.system.json),
    ];
    let length: usize = sections.iter().map(|(key, section)| key.len() + section.len()).sum();
    let mut text = Vec::with_capacity(length + 48);
    text.extend_from_slice(b"{\"timestamp\":\"");
    time::write_naive(time::now(), &mut text);
    for (key, section) in sections {
        text.extend_from_slice(key);
        text.extend_from_slice(section);
    }
    text.push(b'}');
    respond::json(text)
}

/// Every symbol seen, in order of first appearance.
pub async fn symbols(State(state): State<AppState>) -> Json<Value> {
    let market_data = state.live.snapshot().market_data.values.clone();
    let symbols: Vec<&str> = market_data.symbols.iter().map(|(symbol, _)| symbol.as_str()).collect();
    Json(json!({ "symbols": symbols, "count": symbols.len() }))
}

//! `/`: what this is and where to go on.

use axum::Json;
use serde_json::{Value, json};

/// Names the service and its doors. The version is that of the interface.
pub async fn service() -> Json<Value> {
    Json(json!({
        "service": "Trading Observability API",
        "version": "1.0.0",
        "docs": "/docs",
        "websocket": "/ws/metrics",
        "endpoints": { "metrics": "/api/metrics", "trades": "/api/trades", "system": "/api/system" },
    }))
}

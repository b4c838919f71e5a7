//! `/ws/metrics`: the newest values, ten times a second, to everybody who listens.
//!
//! * `frame`: what is sent, made once for all clients;
//! * `publisher`: the ten-hertz clock;
//! * `clients`: who listens, how many may, and their figures;
//! * `subscription`: which sections a client asked for;
//! * `session`: the conversation with one client;
//! * `keepalive`: how a silent peer is told from a dead one.
//!
//! The newest frame lies in a `watch` channel. A client that cannot keep up skips frames; nobody waits for it, and
//! nothing queues for it but the one frame that is on its way.

mod clients;
mod frame;
mod keepalive;
mod publisher;
mod session;
mod subscription;

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::AppState;
use super::error::detail;

pub use clients::{ClientStatistics, Clients, ClientsStatistics, ConnectionStatistics};
pub use publisher::spawn_frames;

/// Longest message that a client may send, in bytes. What clients say is a few words.
const MAX_MESSAGE: usize = 4 << 10;
/// A client's read buffer, in bytes; it is allocated for as long as the client stays.
const READ_BUFFER: usize = 512;

/// Where the stream is.
pub const PATH: &str = "/ws/metrics";

/// The WebSocket path; a request for a WebSocket elsewhere does not come this far.
pub fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Arc<Clients>: FromRef<S>,
{
    Router::new().route(PATH, any(metrics))
}

/// Whether a request asks for a WebSocket.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

impl FromRef<AppState> for Arc<Clients> {
    fn from_ref(state: &AppState) -> Self {
        Self::clone(&state.websockets)
    }
}

async fn metrics(
    State(clients): State<Arc<Clients>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) if is_upgrade(&headers) => return rejection.into_response(),
        Err(_) => return detail(StatusCode::NOT_FOUND, "Not Found"),
    };
    let Some(seat) = clients.admit() else {
        return StatusCode::FORBIDDEN.into_response();
    };
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(move |socket| session::run(socket, seat))
}

#[cfg(test)]
mod tests;

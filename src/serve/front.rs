//! What every request passes on its way in and out.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::SERVER;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::AppState;
use super::access_log::Line;
use super::cors::Caller;
use super::traffic::Traffic;
use super::ws;
use crate::config::Settings;

/// What [`pass`] needs to know.
#[derive(Clone)]
pub struct Front {
    settings: Arc<Settings>,
    traffic: Arc<Traffic>,
}

impl Front {
    /// The part of `state` that every request meets.
    pub fn new(state: &AppState) -> Self {
        Self { settings: Arc::clone(&state.settings), traffic: Arc::clone(&state.traffic) }
    }
}

/// Answers preflights, refuses a WebSocket where there is none, passes everything else on, marks the answer, and takes note of it.
pub async fn pass(State(front): State<Front>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let server = &front.settings.server;
    let caller = Caller::of(request.headers(), &server.cors_origins);
    let line = server.access_log.then(|| Line::begin(&request, started));

    let mut response = match caller.as_ref().and_then(|caller| caller.preflight(&request)) {
        Some(answer) => answer,
        None if ws::is_upgrade(request.headers()) && request.uri().path() != ws::PATH => {
            StatusCode::FORBIDDEN.into_response()
        }
        None => next.run(request).await,
    };
    if let Some(caller) = &caller {
        caller.mark(response.headers_mut());
    }
    response.headers_mut().insert(SERVER, HeaderValue::from_static("observability-api"));

    front.traffic.record(response.status(), started.elapsed());
    match line {
        Some(line) => line.follow(response),
        None => response,
    }
}

//! What every request passes on its way in and out.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONNECTION, RETRY_AFTER, SERVER};
use axum::http::{HeaderValue, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use tower::Service;

use super::AppState;
use super::access_log::Line;
use super::cors::{Caller, Origins};
use super::error::detail;
use super::guard::Guard;
use super::incoming::Incoming;
use super::room::{self, Room};
use super::traffic::Traffic;
use super::{health, routing, ws};
use crate::listen::{Multiplexed, Outgoing, Overloaded, TurnedAway};

/// What lies around the router: made once, and shared by all requests.
pub struct Front {
    guard: Arc<Guard>,
    traffic: Arc<Traffic>,
    origins: Origins,
    access_log: bool,
    room: Room,
    router: Router,
}

impl Front {
    /// The part of `state` that every request meets, around `router`.
    pub fn new(state: &AppState, router: Router) -> Self {
        let server = &state.settings.server;
        Self {
            guard: Arc::clone(&state.guard),
            traffic: Arc::clone(&state.traffic),
            origins: Origins::new(&server.cors_origins),
            access_log: server.access_log,
            room: Room::new(state.store.responses.clone()),
            router,
        }
    }

    /// Refuses what there is no room for, what is not meant for this server or comes from a foreign page, answers preflights,
    /// refuses a WebSocket where there is none, passes everything else on, marks the answer, and takes note of it.
    pub async fn pass(&self, mut request: Request) -> Result<axum::http::Response<Outgoing>, TurnedAway> {
        let started = Instant::now();
        let caller = Caller::of(request.headers(), &self.origins);
        let overloaded = request.extensions().get::<Overloaded>().is_some();
        let multiplexed = request.extensions().get::<Multiplexed>().is_some();
        let line = self.access_log.then(|| Line::begin(&request, started));

        let http1 = request.version() < Version::HTTP_2;
        let mut incoming = Incoming::take(&mut request);
        let arrival = incoming.as_ref().map(|incoming| Arc::clone(incoming.arrival()));
        let (place, admitted) = self.room.enter(request.uri().path(), multiplexed, incoming.as_mut()).await?;
        if let Some(incoming) = incoming {
            incoming.put_back(&mut request);
        }
        let response = match self.without_router(&request, caller.as_ref()) {
            Some(answer) => answer,
            None if !admitted => room::full(),
            None if overloaded && request.uri().path() != health::LIVE => overload(),
            None => {
                let answer = self.router.clone().call(routing::with_plain_path(request)).await;
                answer.unwrap_or_else(|never| match never {})
            }
        };
        let (mut response, bytes) = self.room.leave(response, multiplexed).await;
        if let Some(caller) = &caller {
            caller.mark(response.headers_mut());
        }
        // What is left of a body is not the next request: the connection can carry none, and the client is told.
        let unread = http1 && arrival.is_some_and(|arrival| !arrival.is_over());
        if overloaded || unread && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.headers_mut().insert(SERVER, HeaderValue::from_static("observability-api"));

        self.traffic.record(response.status(), started);
        let response = match line {
            Some(line) => line.follow(response),
            None => response,
        };
        Ok(response.map(|body| Outgoing::new(body, place, bytes)))
    }

    /// The answer to what no path is asked about.
    fn without_router(&self, request: &Request, caller: Option<&Caller>) -> Option<Response> {
        if let Err(refusal) = self.guard.check(request, caller) {
            tracing::debug!(method = %request.method(), path = request.uri().path(), %refusal, "a request is refused");
            return Some(refusal.answer());
        }
        if let Some(answer) = caller.and_then(|caller| caller.preflight(request)) {
            return Some(answer);
        }
        let misplaced = ws::is_upgrade(request.headers()) && request.uri().path() != ws::PATH;
        misplaced.then(|| StatusCode::FORBIDDEN.into_response())
    }
}

/// The answer on a connection for which there is no place.
fn overload() -> Response {
    let text =
        "all connections of this server are in use: come back later, or let the operator raise --max-connections";
    let mut response = detail(StatusCode::SERVICE_UNAVAILABLE, text);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

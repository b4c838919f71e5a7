//! What clients talk to: REST, WebSocket, ingest, users' SQL, and the pages that describe them.
//!
//! * [`service`] is the table of all paths. `routing` says what every path does with a method it does not take and
//!   with a slash too many; `front` is what every request passes on its way in and out: [`guard`] (with
//!   `hosts`), `cors`, `traffic`, `access_log`.
//! * `root`, `health`, `metrics`, `summary`, `history`, `trades`, `system`, `components` answer the documented API;
//!   `ingest` takes rows in; `export` gives them out whole; `sql` answers users' own questions.
//! * `scrape` tells a monitoring system how the server itself does.
//! * `operator` lets only the operator through to `backup` and `upkeep`.
//! * `incoming` is a body on its way here; `bodies` receives it and has it read beside the sockets; `room` counts requests and
//!   what is sent to them; `validation` checks what they say; `respond` sends rows in any format; `error` is all that can go
//!   wrong.
//! * [`ws`] is the live stream; `docs` and `openapi` the reference.
//!
//! No SQL is written here and no column declared; of the store, `state` has the figures and the operator's token.

mod access_log;
mod backup;
pub mod bodies;
mod components;
mod cors;
mod docs;
mod error;
mod export;
mod front;
pub mod guard;
mod health;
mod history;
mod hosts;
mod incoming;
mod ingest;
mod metrics;
mod openapi;
mod operator;
mod respond;
mod room;
mod root;
mod routing;
mod scrape;
mod sql;
mod state;
mod summary;
mod system;
mod trades;
pub mod traffic;
mod upkeep;
mod validation;
pub mod ws;

use std::sync::Arc;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response};
use tower::{Service, service_fn};

use self::front::Front;
use self::routing::{Routes, get, post};
use crate::listen::{Outgoing, TurnedAway};

pub use error::ApiError;
pub use state::AppState;

/// Everything that the server answers.
pub fn service<B>(
    state: AppState,
) -> impl Service<Request<B>, Response = Response<Outgoing>, Error = TurnedAway, Future: Send> + Clone + Send + Sync + 'static
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let scheme = if state.settings.server.tls.is_some() { "https" } else { "http" };
    let routes = Routes::new(scheme)
        .add("/", get(root::service))
        .add("/health", get(health::service))
        .add(health::READY, get(health::ready))
        .add(health::LIVE, get(health::live))
        .add("/metrics", get(scrape::scrape))
        // The hot path: it is handed what it needs, not the whole state.
        .add("/api/metrics/current", get(metrics::current).with_state(Arc::clone(&state.live)))
        .add("/api/metrics/symbols", get(metrics::symbols))
        .add("/api/metrics/summary", get(summary::summary))
        .add("/api/metrics/history", post(history::history))
        .add("/api/trades/", get(trades::list))
        .add("/api/trades/{trade_id}", get(trades::one))
        .add("/api/trades/stats/summary", get(trades::statistics))
        .add("/api/trades/execution/quality", get(trades::quality))
        .add("/api/system/health", get(system::health))
        .add("/api/system/performance", get(system::performance))
        .add("/api/system/components", get(components::components))
        .add("/api/system/stats", get(components::statistics))
        .add("/api/system/logs/recent", get(system::recent_logs))
        .add("/api/system/alerts/acknowledge/{alert_id}", post(system::acknowledge))
        .add("/api/ingest/{table}", ingest::route(&state))
        .add("/api/operator/archive", post(upkeep::archive))
        .add("/api/operator/retention", post(upkeep::retention))
        .add("/api/export/{table}", get(export::export))
        .add("/api/sql", post(sql::sql))
        .add("/api/operator/backup", post(backup::take))
        .merge(docs::routes(), &["/docs", "/redoc", "/docs/oauth2-redirect", "/openapi.json"])
        .merge(ws::routes(), &[]);

    // What every request passes is around the router, not a layer of it: a path has to be spelled in one way before it
    // is looked up, and a router adds its own `allow` to whatever a layer of it answers.
    let front = Arc::new(Front::new(&state, routes.into_router().with_state(state.clone())));
    service_fn(move |request: Request<B>| {
        let front = Arc::clone(&front);
        // Most requests have no body, and then none is put into a box.
        let request = request.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(body) });
        async move { front.pass(request).await }
    })
}

//! `/metrics`: the server's own health and the newest values of the desk, in the text that Prometheus reads.
//!
//! `store`, `server`, `sql` and `desk` are the families, one file a topic. Nothing here waits for the database longer than
//! [`PATIENCE`]: what is not known in time is left out.

mod desk;
mod server;
mod sql;
mod store;

use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::AppState;
use crate::metrics::Exposition;

/// How long a scrape waits for what the database has to say.
const PATIENCE: Duration = Duration::from_millis(500);
/// The form of the answer.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything there is to know, at once.
pub async fn scrape(State(state): State<AppState>) -> impl IntoResponse {
    let measured = state.store.contents.measured(PATIENCE).await;
    let mut text = Exposition::default();
    server::describe(&state, &mut text);
    store::describe(&state, measured.as_ref(), &mut text);
    sql::describe(&state, &mut text);
    desk::describe(&state, &mut text);
    ([(CONTENT_TYPE, EXPOSITION)], text.finish())
}

fn truth(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

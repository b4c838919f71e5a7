//! `/api/sql`: users' own questions, read only.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::respond::{self, Wanted};
use super::validation::{self, Members};
use super::{ApiError, AppState};

/// The rows of `{"sql": …, "params": …}`, parameters as a list for `$1` or an object for `$name`; as JSON an array of
/// objects.
pub async fn sql(
    State(state): State<AppState>,
    Wanted(format): Wanted,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let body = validation::object(&state.bodies, &headers, body).await?;
    let mut members = Members::of(&body.members);
    let sql = members.required_text("sql").unwrap_or_default();
    let parameters = members.list_or_object("params").cloned().unwrap_or_default();
    members.finish()?;
    respond::rows(&state.store.responses, format, "query", state.queries.sql(sql, parameters).await?).await
}

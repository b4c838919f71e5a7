//! `/api/sql`: users' own questions, read only.

use axum::extract::State;
use axum::response::Response;

use super::incoming::Upload;
use super::respond::{self, Wanted};
use super::validation::{self, Members};
use super::{ApiError, AppState};

/// The rows of `{"sql": …, "params": …}`, parameters as a list for `$1` or an object for `$name`; as JSON an array of
/// objects.
pub async fn sql(State(state): State<AppState>, Wanted(format): Wanted, upload: Upload) -> Result<Response, ApiError> {
    let body = validation::object(&state.bodies, upload).await?;
    let mut members = Members::of(&body.members);
    let sql = members.required_text("sql").unwrap_or_default();
    let parameters = members.list_or_object("params").cloned().unwrap_or_default();
    members.finish()?;
    respond::rows(&state.store.responses, format, "query", state.queries.sql(sql, parameters).await?).await
}

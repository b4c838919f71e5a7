//! `/api/export/{table}`: the rows of a table, whole, over a span of time.

use axum::extract::{Path, State};
use axum::response::Response;

use super::respond::{self, Wanted};
use super::validation::{Moment, Parameters};
use super::{ApiError, AppState};
use crate::batch::ReadError;
use crate::query::{Export, Window};
use crate::tables::{self, TABLES};
use crate::time;

/// The rows, oldest first; of all times unless the request names a first or a last instant.
pub async fn export(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Wanted(format): Wanted,
    mut parameters: Parameters,
) -> Result<Response, ApiError> {
    let table = tables::find(&name).ok_or(ApiError::TableNotFound(name))?;
    let start = parameters.moment("start").map_or(time::FIRST, Moment::utc);
    let end = parameters.moment("end").map_or(time::LAST, Moment::utc);
    parameters.finish()?;
    let labels = TABLES.into_iter().filter_map(|table| table.label);
    let mut foreign = labels.filter(|label| table.label != Some(*label));
    if let Some(label) = foreign.find(|label| parameters.text(label).is_some()) {
        return Err(ReadError::Invalid(format!("{} has no {label}: leave it out", table.name)).into());
    }
    let label = table.label.and_then(|label| parameters.text(label)).map(str::to_owned);
    let rows = state.queries.export(Export { table, window: Window { start, end }, label }).await?;
    respond::rows(&state.store.responses, format, table.name, rows).await
}

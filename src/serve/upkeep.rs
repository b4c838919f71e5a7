//! `/api/operator/archive` and `/api/operator/retention`: what the server does once a day, at once.

use axum::Json;
use axum::extract::State;

use super::operator::Operator;
use super::validation::Parameters;
use super::{ApiError, AppState};
use crate::archive::{ArchiveError, MovedDay};
use crate::batch::ReadError;
use crate::upkeep::{Dropped, Order};

/// Moves old days into the archive and answers with what was moved; with `dry_run=true`, with what would be.
pub async fn archive(
    _: Operator,
    State(state): State<AppState>,
    mut parameters: Parameters,
) -> Result<Json<Vec<MovedDay>>, ApiError> {
    let order = order(&mut parameters)?;
    state.upkeep.archive(order).await.map(Json).map_err(failed)
}

/// Drops what is older than it is to be kept and answers with what was dropped; with `dry_run=true`, with what would be.
pub async fn retention(
    _: Operator,
    State(state): State<AppState>,
    mut parameters: Parameters,
) -> Result<Json<Vec<Dropped>>, ApiError> {
    let order = order(&mut parameters)?;
    state.upkeep.retention(order).await.map(Json).map_err(failed)
}

fn order(parameters: &mut Parameters) -> Result<Order, ApiError> {
    parameters.only(&["dry_run", "confirm_clock"]);
    let order = Order { dry_run: parameters.boolean("dry_run"), confirm_clock: parameters.boolean("confirm_clock") };
    parameters.finish()?;
    Ok(order)
}

fn failed(error: ArchiveError) -> ApiError {
    match error {
        ArchiveError::Read(error) => error.into(),
        ArchiveError::Stopping => ReadError::Stopping.into(),
        // The operator is told what is wrong.
        other => ReadError::Refused(other.to_string()).into(),
    }
}

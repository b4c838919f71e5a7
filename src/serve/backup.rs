//! `/api/operator/backup`: takes a backup, and tells how far it is.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use super::operator::Operator;
use super::validation::Parameters;
use super::{ApiError, AppState};
use crate::backup::Report;
use crate::batch::ReadError;
use crate::encode::Format;
use crate::location::Location;

/// Begins a backup at once and answers with one JSON object a line: how far it is, and at last what was taken or why
/// not. `to` names a place in place of the one of the settings, and `keep` how many complete backups stay there. A
/// client that goes away stops the backup.
pub async fn take(
    _: Operator,
    State(state): State<AppState>,
    mut parameters: Parameters,
) -> Result<Response, ApiError> {
    parameters.only(&["to", "keep"]);
    let keep = parameters.integer_within("keep", 0, 1, i64::from(u32::MAX));
    let to = parameters.text("to").map(Location::parse).transpose();
    parameters.finish()?;
    let to = to.map_err(|error| ReadError::Invalid(error.to_string()))?;
    let keep = usize::try_from(keep).ok().filter(|keep| *keep > 0);
    let reports = ReceiverStream::new(state.backups.start(to, keep));
    let mut response = Response::new(Body::from_stream(reports.map(|report| line(&report))));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(Format::Ndjson.content_type()));
    Ok(response)
}

fn line(report: &Report) -> Result<Bytes, serde_json::Error> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    Ok(line.into())
}

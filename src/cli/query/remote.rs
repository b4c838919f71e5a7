//! The same question, put to a running server.

use futures::TryStreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use super::QueryError;
use super::output::Output;
use crate::cli::arrow::batches;
use crate::cli::client::Remote;
use crate::cli::database::DatabaseError;
use crate::encode::Format;

/// Asks `server` and passes its answer on.
pub(super) async fn ask(server: &Remote, sql: &str, params: &Value, output: Output) -> Result<(), QueryError> {
    // A table is laid out here, from the rows themselves.
    let format = output.form().map_or(Format::Arrow, |form| form.format());
    let request = server
        .request(Method::POST, &format!("/api/sql?format={}", format.name()))
        .header(reqwest::header::CONTENT_TYPE, Format::Json.content_type())
        .body(json!({ "sql": sql, "params": params }).to_string());
    let response = server.send(request).await.map_err(DatabaseError::from)?;
    let broken_off = server.broken_off();
    let bytes = response.bytes_stream().map_err(move |source| DatabaseError::from(broken_off(source)));
    match output.form() {
        None => output.table(batches(bytes).await?).await,
        Some(form) => output.write(form.take(bytes).await?).await,
    }
}

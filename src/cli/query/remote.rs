//! The same question, put to a running server.

use arrow::buffer::Buffer;
use arrow::ipc::reader::StreamDecoder;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::output::Output;
use super::{OutputFormat, QueryError};
use crate::batch::{BatchStream, ReadError};
use crate::encode::Format;

/// Asks the server at the address `server` and passes its answer on.
pub(super) async fn ask(server: &str, sql: &str, params: &Value, output: Output) -> Result<(), QueryError> {
    // A table is laid out here, from the rows themselves.
    let format = output.format().encoding().unwrap_or(Format::Arrow);
    let unreachable = |source| QueryError::Unreachable { server: server.to_owned(), source };
    let address = format!("{}/api/sql?format={}", server.trim_end_matches('/'), format.name());
    let request = reqwest::Client::new()
        .post(address)
        .header(reqwest::header::CONTENT_TYPE, Format::Json.content_type())
        .body(json!({ "sql": sql, "params": params }).to_string());
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    if !status.is_success() {
        let text = response.text().await.map_err(unreachable)?;
        return Err(QueryError::Refused(detail(&text).unwrap_or_else(|| format!("{server} answered {status}"))));
    }
    let server = server.to_owned();
    let bytes =
        response.bytes_stream().map_err(move |source| QueryError::Unreachable { server: server.clone(), source });
    if output.format() == OutputFormat::Table {
        output.table(batches(bytes).await?).await
    } else {
        output.write(bytes).await
    }
}

/// The sentence in an error's body: `{"detail": "…"}`.
fn detail(body: &str) -> Option<String> {
    match serde_json::from_str::<Value>(body).ok()?.get("detail")? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Reads an Arrow stream from its bytes.
async fn batches<S>(bytes: S) -> Result<BatchStream, QueryError>
where
    S: futures::Stream<Item = Result<Bytes, QueryError>> + Send + Unpin + 'static,
{
    let mut incoming = Incoming { bytes, unread: Buffer::default(), decoder: StreamDecoder::new() };
    let first = incoming.next().await?;
    let Some(schema) = incoming.decoder.schema() else { return Err(broken("it ended before it began").into()) };
    let rest = stream::try_unfold(incoming, |mut incoming| async {
        Ok(incoming.next().await?.map(|batch| (batch, incoming)))
    });
    Ok(BatchStream::new(schema, stream::iter(first.map(Ok)).chain(rest)))
}

/// An Arrow stream on its way in.
struct Incoming<S> {
    bytes: S,
    unread: Buffer,
    decoder: StreamDecoder,
}

impl<S: futures::Stream<Item = Result<Bytes, QueryError>> + Unpin> Incoming<S> {
    async fn next(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        loop {
            if let Some(batch) = self.decoder.decode(&mut self.unread).map_err(broken)? {
                return Ok(Some(batch));
            }
            match self.bytes.next().await {
                Some(Ok(chunk)) => self.unread = Buffer::from(chunk),
                Some(Err(error)) => return Err(broken(error)),
                None => return self.decoder.finish().map(|()| None).map_err(broken),
            }
        }
    }
}

fn broken(error: impl std::fmt::Display) -> ReadError {
    ReadError::Failed(format!("the answer broke off: {error}"))
}

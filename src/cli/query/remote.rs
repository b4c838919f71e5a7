//! The same question, put to a running server.

use arrow::buffer::Buffer;
use arrow::ipc::reader::StreamDecoder;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};

use super::output::Output;
use super::{OutputFormat, QueryError};
use crate::batch::{BatchStream, ReadError};
use crate::cli::client::Remote;
use crate::cli::database::DatabaseError;
use crate::encode::Format;

/// Asks `server` and passes its answer on.
pub(super) async fn ask(server: &Remote, sql: &str, params: &Value, output: Output) -> Result<(), QueryError> {
    // A table is laid out here, from the rows themselves.
    let format = output.format().encoding().unwrap_or(Format::Arrow);
    let request = server
        .request(Method::POST, &format!("/api/sql?format={}", format.name()))
        .header(reqwest::header::CONTENT_TYPE, Format::Json.content_type())
        .body(json!({ "sql": sql, "params": params }).to_string());
    let response = server.send(request).await.map_err(DatabaseError::from)?;
    let unreachable = server.unreachable();
    let bytes =
        response.bytes_stream().map_err(move |source| QueryError::from(DatabaseError::from(unreachable(source))));
    if output.format() == OutputFormat::Table {
        output.table(batches(bytes).await?).await
    } else {
        output.write(bytes).await
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

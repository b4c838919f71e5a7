//! The answer to a query, batch by batch.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};

/// Record batches of one schema, produced as they are asked for. Dropping it cancels the query behind it.
pub struct BatchStream {
    schema: SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch, ReadError>>,
}

impl BatchStream {
    /// A stream whose batches all have `schema`.
    pub fn new(
        schema: SchemaRef,
        batches: impl Stream<Item = Result<RecordBatch, ReadError>> + Send + 'static,
    ) -> Self {
        Self { schema, batches: Box::pin(batches) }
    }

    /// A stream whose batches come with something that is to be kept until the next one is asked for.
    pub fn counted<H: Send + 'static>(
        schema: SchemaRef,
        batches: impl Stream<Item = Result<(RecordBatch, H), ReadError>> + Send + 'static,
    ) -> Self {
        let batches = stream::unfold((batches.boxed(), None), |(mut batches, held)| async {
            drop::<Option<H>>(held);
            Some(match batches.next().await? {
                Ok((batch, held)) => (Ok(batch), (batches, Some(held))),
                Err(error) => (Err(error), (batches, None)),
            })
        });
        Self::new(schema, batches)
    }

    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl ReadError {
    /// Whether the server or the database is at fault. Everything else a client has done, or has to put up with.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Archive(_) | Self::Failed(_))
    }
}

impl Stream for BatchStream {
    type Item = Result<RecordBatch, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.batches.as_mut().poll_next(context)
    }
}

/// Why a query gave no answer, or stopped in the middle of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
pub enum ReadError {
    /// The question itself is wrong: the asker can mend it.
    #[error("{0}")]
    Invalid(String),
    /// The question is not allowed here.
    #[error("{0}")]
    Refused(String),
    /// The time limit passed.
    #[error("the query ran longer than {} s and was stopped: ask for a shorter time range or fewer columns", .0.as_secs_f64())]
    TimedOut(Duration),
    /// Too many queries at once.
    #[error("too many queries are running: try again in a second")]
    Busy,
    /// More memory than a query may take.
    #[error("the query needs more memory than it may take: {0}")]
    OutOfMemory(String),
    /// The memory is taken by others, or the writer needs it.
    #[error("the memory for queries is in use: try again in a second, or ask for less")]
    NoMemory,
    /// The client took nothing of the response for so long.
    #[error("the client took nothing of the response for {} s", .0.as_secs_f64())]
    Stalled(Duration),
    /// More rows than an answer may have.
    #[error("the answer has more than {0} rows: add a LIMIT or a narrower WHERE")]
    TooManyRows(usize),
    /// What the query needs is not there now; the text says what, and what to do.
    #[error("{0}")]
    Unavailable(String),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// An archived day cannot be read; the text says which file and what to do.
    #[error("{0}")]
    Archive(String),
    /// A fault of ours or of the database; the text is for the log, not for the client.
    #[error("{0}")]
    Failed(String),
}

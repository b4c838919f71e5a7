//! The way of a query's result from the thread that computes it to whoever waits for it.
//!
//! How a result ended travels beside its batches: telling it never waits for a reader, and a result that breaks off is never
//! taken for a whole one.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::stream;
use tokio::sync::{mpsc, oneshot};

use crate::batch::{BatchStream, ReadError};

/// Batches between the database and the socket of one query.
const BATCHES_IN_FLIGHT: usize = 8;

/// The end that computes.
pub(super) struct ResultSender {
    /// Taken when the schema has been told.
    opening: Option<oneshot::Sender<Result<SchemaRef, ReadError>>>,
    batches: mpsc::Sender<RecordBatch>,
    outcome: oneshot::Sender<Result<(), ReadError>>,
}

/// The end that waits.
pub(super) struct ResultReceiver {
    opened: oneshot::Receiver<Result<SchemaRef, ReadError>>,
    batches: mpsc::Receiver<RecordBatch>,
    outcome: oneshot::Receiver<Result<(), ReadError>>,
}

/// Both ends.
pub(super) fn channel() -> (ResultSender, ResultReceiver) {
    let (opening, opened) = oneshot::channel();
    let (batches, received) = mpsc::channel(BATCHES_IN_FLIGHT);
    let (outcome, ended) = oneshot::channel();
    (
        ResultSender { opening: Some(opening), batches, outcome },
        ResultReceiver { opened, batches: received, outcome: ended },
    )
}

impl ResultSender {
    /// Tells the schema, the first time.
    pub fn open(&mut self, schema: &SchemaRef) {
        if let Some(opening) = self.opening.take() {
            // Nobody waits: the next batch finds out.
            let _ = opening.send(Ok(schema.clone()));
        }
    }

    /// Where batches go.
    pub fn batches(&self) -> &mpsc::Sender<RecordBatch> {
        &self.batches
    }

    /// Tells how the result ended. Does not wait.
    pub fn end(self, outcome: Result<(), ReadError>) {
        // Whoever waited may have gone.
        match (self.opening, outcome) {
            (Some(opening), Err(error)) => drop(opening.send(Err(error))),
            (_, outcome) => drop(self.outcome.send(outcome)),
        }
    }
}

impl ResultReceiver {
    /// The result, when its schema is known. `guard` is kept as long as the stream.
    pub async fn stream(self, guard: impl Send + 'static) -> Result<BatchStream, ReadError> {
        let Self { opened, batches, outcome } = self;
        let schema = opened.await.map_err(|_| broken_off())??;
        let stream = stream::unfold(Some((batches, outcome, guard)), |state| async {
            let (mut batches, outcome, guard) = state?;
            match batches.recv().await {
                Some(batch) => Some((Ok(batch), Some((batches, outcome, guard)))),
                None => match outcome.await {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some((Err(error), None)),
                    Err(_) => Some((Err(broken_off()), None)),
                },
            }
        });
        Ok(BatchStream::new(schema, stream))
    }
}

fn broken_off() -> ReadError {
    ReadError::Failed("a query ended without a result".into())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn what_breaks_off_is_told_even_when_nobody_reads() {
        let schema: SchemaRef = Schema::empty().into();
        for (outcome, told) in
            [(Some(Ok(())), None), (Some(Err(ReadError::Busy)), Some(ReadError::Busy)), (None, Some(broken_off()))]
        {
            let (mut sender, receiver) = channel();
            sender.open(&schema);
            while sender.batches().try_send(RecordBatch::new_empty(schema.clone())).is_ok() {}
            // Nobody has read anything yet.
            match outcome {
                Some(outcome) => sender.end(outcome),
                None => drop(sender),
            }
            let results: Vec<_> = receiver.stream(()).await.unwrap().collect().await;
            assert_eq!(results.iter().filter(|batch| batch.is_ok()).count(), BATCHES_IN_FLIGHT);
            assert_eq!(results.last().and_then(|last| last.clone().err()), told);
        }
    }

    #[tokio::test]
    async fn an_error_before_the_schema_is_the_only_result() {
        let (sender, receiver) = channel();
        sender.end(Err(ReadError::Busy));
        assert_eq!(receiver.stream(()).await.err(), Some(ReadError::Busy));
    }
}

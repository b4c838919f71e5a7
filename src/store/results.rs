//! The way of a query's result from the thread that computes it to whoever waits for it.
//!
//! A batch takes room from before it is passed on until the next one is asked for. Before anything of a result is asked for,
//! nothing of it is passed on: whoever reads results one after the other holds nothing of the later ones meanwhile.
//!
//! How a result ended travels beside its batches: telling it never waits for a reader, and a result that breaks off is never
//! taken for a whole one.

use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::stream;
use tokio::sync::{mpsc, oneshot};

use super::active::ActiveQuery;
use super::interrupt::Watch;
use crate::batch::{BatchStream, ReadError};
use crate::budget::{BatchRoom, ResultRoom};

/// Batches between the database and the socket of one query.
const BATCHES_IN_FLIGHT: usize = 8;
/// Longer than any query may take: its own limit ends a wait for room.
const ENDLESS: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A batch, and the room that it takes.
type Counted = (RecordBatch, BatchRoom);

/// The end that computes.
pub(super) struct ResultSender {
    /// Taken when the schema has been told.
    opening: Option<oneshot::Sender<Result<SchemaRef, ReadError>>>,
    /// Taken when the first batch has been asked for.
    wanted: Option<oneshot::Receiver<()>>,
    room: ResultRoom,
    batches: mpsc::Sender<Counted>,
    outcome: oneshot::Sender<Result<(), ReadError>>,
}

/// The end that waits.
pub(super) struct ResultReceiver {
    opened: oneshot::Receiver<Result<SchemaRef, ReadError>>,
    wanted: oneshot::Sender<()>,
    batches: mpsc::Receiver<Counted>,
    outcome: oneshot::Receiver<Result<(), ReadError>>,
}

/// Both ends of a result that takes `room`.
pub(super) fn channel(room: ResultRoom) -> (ResultSender, ResultReceiver) {
    let (opening, opened) = oneshot::channel();
    let (wanting, wanted) = oneshot::channel();
    let (batches, received) = mpsc::channel(BATCHES_IN_FLIGHT);
    let (outcome, ended) = oneshot::channel();
    (
        ResultSender { opening: Some(opening), wanted: Some(wanted), room, batches, outcome },
        ResultReceiver { opened, wanted: wanting, batches: received, outcome: ended },
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

    /// Waits for room for a batch of `amount` bytes; `None` when the query must end instead. For use off the runtime.
    pub fn reserve(&mut self, amount: u64, watch: &Watch, active: &ActiveQuery) -> Option<BatchRoom> {
        if let Some(wanted) = self.wanted.take() {
            active.wait_for_client(|| watch.wait(wanted))?.ok()?;
        }
        if let Some(room) = self.room.try_take(amount) {
            return Some(room);
        }
        let own = active.wait_for_client(|| self.unless_unwanted(watch, self.room.own(amount, ENDLESS)))?;
        self.unless_unwanted(watch, self.room.shared(own.ok()?, amount, ENDLESS))?.ok()
    }

    /// Passes a batch on; `None` when the query must end instead. For use off the runtime.
    pub fn send(&self, batch: RecordBatch, room: BatchRoom, watch: &Watch, active: &ActiveQuery) -> Option<()> {
        match self.batches.try_send((batch, room)) {
            Err(mpsc::error::TrySendError::Full(counted)) => {
                active.wait_for_client(|| watch.wait(self.batches.send(counted)))?.ok()
            }
            sent => sent.ok(),
        }
    }

    /// Waits until the query must end, or nobody reads its result any more.
    fn unless_unwanted<T>(&self, watch: &Watch, room: impl Future<Output = T>) -> Option<T> {
        watch.wait(async {
            tokio::select! {
                room = room => Some(room),
                () = self.batches.closed() => None,
            }
        })?
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
        let Self { opened, wanted, batches, outcome } = self;
        let schema = opened.await.map_err(|_| broken_off())??;
        let stream = stream::unfold(Some((Some(wanted), batches, outcome, guard)), |state| async {
            let (wanted, mut batches, outcome, guard) = state?;
            if let Some(wanted) = wanted {
                // An error means that the query has ended, which it tells beside.
                let _ = wanted.send(());
            }
            match batches.recv().await {
                Some(counted) => Some((Ok(counted), Some((None, batches, outcome, guard)))),
                None => match outcome.await {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some((Err(error), None)),
                    Err(_) => Some((Err(broken_off()), None)),
                },
            }
        });
        Ok(BatchStream::counted(schema, stream))
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
    use crate::budget::Responses;

    #[tokio::test]
    async fn what_breaks_off_is_told_even_when_nobody_reads() {
        let schema: SchemaRef = Schema::empty().into();
        let responses = Responses::new(1, 1);
        for (outcome, told) in
            [(Some(Ok(())), None), (Some(Err(ReadError::Busy)), Some(ReadError::Busy)), (None, Some(broken_off()))]
        {
            let (mut sender, receiver) = channel(ResultRoom::of(&responses));
            sender.open(&schema);
            let counted = || (RecordBatch::new_empty(schema.clone()), sender.room.try_take(0).unwrap());
            while sender.batches.try_send(counted()).is_ok() {}
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
        let (sender, receiver) = channel(ResultRoom::of(&Responses::new(1, 1)));
        sender.end(Err(ReadError::Busy));
        assert_eq!(receiver.stream(()).await.err(), Some(ReadError::Busy));
    }
}

//! One query of a user, between its worker, the store and its client.
//!
//! `results` passes the rows of the result on, `scans` gives the worker the rows of the store. Both go on side by side
//! while the worker's memory is looked at, until the result is whole or the first limit is hit.

mod results;
mod scans;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use tokio::io::AsyncRead;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::deadline::Deadline;
use super::process::{Process, Worker, Workers};
use super::wire::{Query, ToWorker, frame};
use crate::batch::ReadError;
use crate::budget::{BatchRoom, GRACE, ResultRoom};
use crate::store::Reader;
use results::Results;
use scans::Scans;

/// How long a worker may take, after its result, until nothing of the query runs any more.
const REST: Duration = Duration::from_millis(500);

/// What a query may take, and from whom.
pub struct Conversation {
    /// The worker that runs it.
    pub worker: Worker,
    /// Where the worker goes afterwards.
    pub workers: Arc<Workers>,
    /// The store.
    pub reader: Reader,
    /// When the result has to be complete.
    pub deadline: Deadline,
    /// Rows that the result may have.
    pub max_rows: usize,
}

/// Rows of a result, and the room that they take.
pub type Counted = (RecordBatch, Option<BatchRoom>);

/// Where the result goes.
pub struct Client {
    /// Told the schema with the first rows, or that there is no result.
    pub opening: Option<oneshot::Sender<Result<SchemaRef, ReadError>>>,
    /// The rows.
    pub batches: mpsc::Sender<Result<Counted, ReadError>>,
}

/// How a worker ended its part.
pub enum Ended {
    /// It says that the result is whole, or why there is none.
    Said(Result<(), ReadError>),
    /// It said nothing that can be understood, or nothing at all.
    Lost,
}

/// What is left to do after a query.
struct After {
    /// Whether the worker can have another one.
    keep: bool,
    /// What the client has to be told.
    untold: Option<(ReadError, Client)>,
}

impl Conversation {
    /// Runs the query. When `abandoned` is cancelled, or a limit is hit, the worker is ended.
    pub async fn run(mut self, query: Query, client: Client, abandoned: CancellationToken) {
        let After { keep, untold } = self.converse(query, client, &abandoned).await;
        let Self { worker, workers, .. } = self;
        // What a query takes does not depend on how fast its client reads: the worker goes first.
        if keep {
            workers.keep(worker);
        } else {
            drop(worker);
        }
        if let Some((error, client)) = untold {
            client.tell(error, &abandoned).await;
        }
    }

    async fn converse(&mut self, query: Query, mut client: Client, abandoned: &CancellationToken) -> After {
        let Worker { input, output, process, memory, .. } = &mut self.worker;
        let query = ToWorker::Query(query);
        let sent = tokio::select! {
            sent = self.deadline.bound(frame::send(output, &query, &[])) => sent,
            () = abandoned.cancelled() => return After { keep: false, untold: None },
        };
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return After::end(why_lost(process.as_mut(), &self.workers).await, client),
            Err(late) => return After::end(late, client),
        }
        let (requests, received) = mpsc::unbounded_channel();
        let client_waits = AtomicBool::new(false);
        let room = ResultRoom::of_worker(self.reader.responses());
        let (deadline, max_rows, progress) = (self.deadline, self.max_rows, self.workers.begin());
        let client_waits = &client_waits;
        let mut results = Results { input, requests, room, deadline, progress: &progress, client_waits, max_rows };
        let mut scans = pin!(Scans::new(&self.reader, output, received, client_waits, self.deadline).serve());
        let working = async {
            tokio::select! {
                ended = results.pass_on(&mut client) => ended,
                () = &mut scans => Ok(Ended::Lost),
                error = self.workers.watch(process.as_ref(), memory) => Err(error),
            }
        };
        let ended = tokio::select! {
            ended = self.deadline.bound(working) => ended.and_then(|ended| ended),
            () = progress.displaced() => Err(ReadError::Stalled(GRACE)),
            () = abandoned.cancelled() => return After { keep: false, untold: None },
        };
        let said = match ended {
            Ok(Ended::Said(said)) => said,
            Ok(Ended::Lost) => return After::end(why_lost(process.as_mut(), &self.workers).await, client),
            Err(error) => return After::end(error, client),
        };
        let untold = match said {
            Ok(()) => {
                drop(client);
                None
            }
            Err(error) => client.tell_now(error),
        };
        let rested = async {
            tokio::select! {
                rested = rest(results, scans) => rested,
                _ = self.workers.watch(process.as_ref(), memory) => false,
            }
        };
        After { keep: tokio::time::timeout(REST, rested).await.unwrap_or(false), untold }
    }
}

impl After {
    /// The worker cannot go on.
    fn end(error: ReadError, client: Client) -> Self {
        Self { keep: false, untold: Some((error, client)) }
    }
}

/// Waits, after the result, until nothing of the query runs any more, neither in the worker nor here. False when that
/// cannot be.
async fn rest<I: AsyncRead + Unpin>(
    mut results: Results<'_, I>,
    mut scans: Pin<&mut impl Future<Output = ()>>,
) -> bool {
    let idle = tokio::select! {
        idle = results.until_idle() => idle,
        () = &mut scans => return false,
    };
    // No scan is wanted any more. A frame that is being written is written to its end first.
    drop(results);
    scans.await;
    idle
}

async fn why_lost(process: Option<&mut Process>, workers: &Workers) -> ReadError {
    match process {
        Some(process) => process.why_ended(workers).await,
        None => ReadError::Stopping,
    }
}

impl Client {
    /// Says that there is no result, or no more of it, unless that has to wait until the client has read.
    fn tell_now(mut self, error: ReadError) -> Option<(ReadError, Self)> {
        match self.opening.take() {
            // Whoever asked may have gone.
            Some(opening) => drop(opening.send(Err(error))),
            None => {
                if let Err(TrySendError::Full(Err(error))) = self.batches.try_send(Err(error)) {
                    return Some((error, self));
                }
            }
        }
        None
    }

    /// Says so when the client has read.
    async fn tell(self, error: ReadError, abandoned: &CancellationToken) {
        let Some((error, client)) = self.tell_now(error) else { return };
        tokio::select! {
            _ = client.batches.send(Err(error)) => {}
            () = abandoned.cancelled() => {}
        }
    }
}

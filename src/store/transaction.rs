//! A read transaction that stays open and runs one statement after the other.

use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::DropGuard;

use super::reader::{BATCHES_IN_FLIGHT, Job};
use super::snapshot::{Snapshot, Statement};
use crate::batch::{BatchStream, ReadError};

/// What the thread of a transaction is told to do.
type Task = Box<dyn FnOnce(&Job) + Send>;

/// An open transaction: everything that it answers is as of the moment when it began. Dropping it interrupts what is
/// running in it.
pub struct ReadTransaction {
    tasks: mpsc::Sender<Task>,
    _abandon_when_dropped: DropGuard,
}

impl ReadTransaction {
    /// Begins, on a thread for blocking work that serves this transaction until its end.
    pub(super) async fn begin(job: Job, guard: DropGuard) -> Result<Self, ReadError> {
        let (tasks, mut waiting) = mpsc::channel::<Task>(1);
        let (opened, opening) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let begun = job.begin();
            let succeeded = begun.is_ok();
            // Whoever asked may have gone: then there are no tasks.
            let _ = opened.send(begun);
            while let Some(task) = waiting.blocking_recv() {
                task(&job);
            }
            job.finish(succeeded);
        });
        opening.await.map_err(|_| ended())??;
        Ok(Self { tasks, _abandon_when_dropped: guard })
    }

    /// Runs a statement and streams its result. The next one waits until this result has been read or dropped.
    pub async fn query(&self, statement: Statement) -> Result<BatchStream, ReadError> {
        let (opening, opened) = oneshot::channel();
        let (batches, received) = mpsc::channel(BATCHES_IN_FLIGHT);
        self.run(Box::new(move |job| job.answer(statement, opening, &batches))).await?;
        let schema = opened.await.map_err(|_| ended())??;
        Ok(BatchStream::new(schema, ReceiverStream::new(received)))
    }

    /// Looks at what is stored where.
    pub async fn look<T, Q>(&self, question: Q) -> Result<T, ReadError>
    where
        T: Send + 'static,
        Q: FnOnce(&Snapshot<'_>) -> Result<T, ReadError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        // An error means that nobody waits for the answer.
        let look = move |job: &Job| drop(answer.send(job.snapshot().and_then(|snapshot| question(&snapshot))));
        self.run(Box::new(look)).await?;
        answered.await.map_err(|_| ended())?
    }

    async fn run(&self, task: Task) -> Result<(), ReadError> {
        self.tasks.send(task).await.map_err(|_| ended())
    }
}

fn ended() -> ReadError {
    ReadError::Failed("a read transaction ended before its time".into())
}

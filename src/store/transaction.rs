//! A read transaction that stays open and runs one statement after the other.

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::DropGuard;

use super::interrupt::Reason;
use super::job::Job;
use super::pool::Purpose;
use super::results::{self, ResultReceiver, ResultSender};
use super::snapshot::{AllAtOnce, Once, Snapshot, Statement, Statements};
use crate::batch::{BatchStream, ReadError};
use crate::budget::Responses;

/// What the thread of a transaction is told to do.
type Task = Box<dyn FnOnce(&Job) + Send>;

/// An open transaction: everything that it reads is as of the moment when it began. Dropping it interrupts what is
/// running in it.
pub struct ReadTransaction {
    tasks: mpsc::Sender<Task>,
    purpose: Purpose,
    responses: Responses,
    /// Why it ended before its time.
    reason: Reason,
    _abandon_when_dropped: DropGuard,
}

impl ReadTransaction {
    /// Serves a transaction that has begun, on a thread for blocking work, until its end.
    pub(super) fn serve(job: Job, guard: DropGuard, purpose: Purpose, responses: Responses) -> Self {
        let (tasks, mut waiting) = mpsc::channel::<Task>(1);
        let reason = job.reason();
        tokio::task::spawn_blocking(move || {
            while let Some(task) = job.next(&mut waiting) {
                task(&job);
            }
            job.finish(true);
        });
        Self { tasks, purpose, responses, reason, _abandon_when_dropped: guard }
    }

    /// Runs a statement and streams its result. The next one waits until this result has been read or dropped.
    pub async fn query(&self, statement: Statement) -> Result<BatchStream, ReadError> {
        self.ask(Once::new(statement)).await
    }

    /// Runs statements one after the other, each made when it is its turn; their results, which must have one schema,
    /// stream as one.
    pub async fn ask(&self, statements: impl Statements + Send + 'static) -> Result<BatchStream, ReadError> {
        let (sender, receiver) = self.channel();
        self.run(Box::new(move |job| job.answer(statements, sender))).await?;
        receiver.stream(()).await.map_err(|error| self.reason.explain(error))
    }

    /// Runs a query whose statements are all made at its beginning; see [`ReadTransaction::ask`].
    pub async fn ask_all<Q>(&self, question: Q) -> Result<BatchStream, ReadError>
    where
        Q: FnOnce(&Snapshot<'_>) -> Result<Vec<Statement>, ReadError> + Send + 'static,
    {
        self.ask(AllAtOnce::new(question)).await
    }

    /// The same as [`ReadTransaction::ask`], for the last time: the transaction ends with the stream.
    pub async fn into_result(self, statements: impl Statements + Send + 'static) -> Result<BatchStream, ReadError> {
        let (sender, receiver) = self.channel();
        self.run(Box::new(move |job| job.answer(statements, sender))).await?;
        let reason = self.reason.clone();
        receiver.stream(self).await.map_err(|error| reason.explain(error))
    }

    /// The same as [`ReadTransaction::ask_all`], for the last time: the transaction ends with the stream.
    pub async fn into_result_of<Q>(self, question: Q) -> Result<BatchStream, ReadError>
    where
        Q: FnOnce(&Snapshot<'_>) -> Result<Vec<Statement>, ReadError> + Send + 'static,
    {
        self.into_result(AllAtOnce::new(question)).await
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
        answered.await.unwrap_or_else(|_| Err(ended())).map_err(|error| self.reason.explain(error))
    }

    async fn run(&self, task: Task) -> Result<(), ReadError> {
        self.tasks.send(task).await.map_err(|_| self.reason.explain(ended()))
    }

    fn channel(&self) -> (ResultSender, ResultReceiver) {
        results::channel(self.purpose.room(&self.responses))
    }
}

fn ended() -> ReadError {
    ReadError::Failed("a read transaction ended before its time".into())
}

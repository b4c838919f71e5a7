//! The reading connections, and answers that stream from them.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use duckdb::Connection;
use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::figures::Figures;
use super::interrupt::{Stopped, Watch};
use super::pool::{Lease, PATIENCE, Pools, Purpose, Usage};
use super::rollup::{Bounds, Made, Rollups};
use super::snapshot::{NewestFirst, Snapshot, Statement};
use super::transaction::ReadTransaction;
use super::value::{Value, bind};
use crate::archive::{self, Files};
use crate::batch::{BatchStream, ReadError, newest_first};
use crate::tables::Table;
use crate::time::Micros;

/// Batches between the database and the socket of one query.
pub(super) const BATCHES_IN_FLIGHT: usize = 8;

/// Reads from the database, through a pool of connections. Clones share the pool.
#[derive(Clone)]
pub struct Reader {
    pools: Arc<Pools>,
    purpose: Purpose,
    shared: Shared,
}

/// What the connections have in common beside the database.
#[derive(Clone)]
pub struct Shared {
    /// The files of archived days.
    pub files: Files,
    /// How far the roll-ups are.
    pub rollups: Rollups,
    /// Between which instants there are roll-ups and archived days.
    pub bounds: Bounds,
    /// Raised when the engine cannot go on.
    pub failure: Failure,
    /// What the writer has done.
    pub figures: Figures,
}

pub(super) type Opening = oneshot::Sender<Result<SchemaRef, ReadError>>;
pub(super) type Batches = mpsc::Sender<Result<RecordBatch, ReadError>>;

impl Reader {
    /// Reads through `pools`, as named queries do unless another pool is picked.
    pub fn new(pools: Pools, shared: Shared) -> Self {
        Self { pools: Arc::new(pools), purpose: Purpose::Named, shared }
    }

    /// Reads through the connections for `purpose`.
    pub fn of(&self, purpose: Purpose) -> Self {
        Self { purpose, ..self.clone() }
    }

    /// Reads through the connections of named queries.
    pub fn named(&self) -> Self {
        self.of(Purpose::Named)
    }

    /// Reads through the connections of exports.
    pub fn exports(&self) -> Self {
        self.of(Purpose::Exports)
    }

    /// Reads through the connections of users' SQL.
    pub fn sql(&self) -> Self {
        self.of(Purpose::Sql)
    }

    /// Reads through the reserve: for short queries about the server itself, which must be answered however many
    /// clients are being served, and however slowly they read.
    pub fn reserved(&self) -> Self {
        self.of(Purpose::Reserved)
    }

    /// Reads through the connection of backups.
    pub fn held(&self) -> Self {
        self.of(Purpose::Held)
    }

    /// How many labels a table has at the most.
    pub fn labels(&self, table: &Table) -> usize {
        self.shared.rollups.labels(table)
    }

    /// About up to where the finest roll-ups of a table reach: a question that needs to know asks its [`Snapshot`].
    pub fn rolled_until(&self, table: &Table) -> Micros {
        self.shared.bounds.made().until(table)
    }

    /// The connections that serve clients.
    pub fn usage(&self) -> Usage {
        self.pools.usage()
    }

    /// Runs a statement with its parameters, `$1` first, and streams the answer. See [`Reader::ask`].
    pub async fn query(
        &self,
        sql: impl Into<Arc<str>>,
        parameters: Vec<Value>,
        limit: Duration,
    ) -> Result<BatchStream, ReadError> {
        let statement = Statement::new(sql, parameters);
        self.ask(|_| Ok(vec![statement]), limit).await
    }

    /// Asks a question that depends on what is stored where: `question` sees the [`Snapshot`] and gives the statements,
    /// which run one after the other in the transaction that the snapshot is of. Their answers, which must have one
    /// schema, stream as one.
    ///
    /// Returns when the schema is known. Dropping the stream, or `limit` passing, stops the query in the database. Fails
    /// with [`ReadError::Busy`] when no connection becomes free for some seconds.
    pub async fn ask<Q>(&self, question: Q, limit: Duration) -> Result<BatchStream, ReadError>
    where
        Q: FnOnce(&Snapshot<'_>) -> Result<Vec<Statement>, ReadError> + Send + 'static,
    {
        let lease = self.pools.of(self.purpose).lease().await?;
        let abandoned = CancellationToken::new();
        let (opening, opened) = oneshot::channel();
        let (batches, received) = mpsc::channel(BATCHES_IN_FLIGHT);
        let watch = Watch::start(lease.connection()?.interrupt_handle(), limit, abandoned.clone());
        let guard = abandoned.drop_guard();
        let job = self.job(lease, watch, limit);
        tokio::task::spawn_blocking(move || job.run(question, opening, &batches));

        let schema = opened.await.map_err(|_| ReadError::Failed("a query ended without an answer".into()))??;
        let stream = ReceiverStream::new(received).map(move |batch| {
            let _abandon_when_dropped = &guard;
            batch
        });
        Ok(BatchStream::new(schema, stream))
    }

    /// Looks at what is stored where.
    pub async fn look<T, Q>(&self, question: Q) -> Result<T, ReadError>
    where
        T: Send + 'static,
        Q: FnOnce(&Snapshot<'_>) -> Result<T, ReadError> + Send + 'static,
    {
        let (lease, shared) = (self.pools.of(self.purpose).lease().await?, self.shared.clone());
        let looked = tokio::task::spawn_blocking(move || {
            // Each statement is a transaction of its own.
            let made = shared.bounds.made();
            question(&Snapshot::new(lease.connection()?, &shared, &RefCell::default(), PATIENCE, made))
        });
        looked.await.unwrap_or_else(|error| Err(ReadError::Failed(error.to_string())))
    }

    /// Opens a transaction that runs one statement after the other: all of them see one snapshot. `limit` is the time
    /// that it may stay open. Must be called on a runtime.
    ///
    /// While it is open, the database keeps what is replaced or deleted; checkpoints go on. [`ReadError::Busy`] says that
    /// no connection of this pool became free for some seconds.
    pub async fn begin(&self, limit: Duration) -> Result<ReadTransaction, ReadError> {
        let lease = self.pools.of(self.purpose).lease().await?;
        let abandoned = CancellationToken::new();
        let watch = Watch::start(lease.connection()?.interrupt_handle(), limit, abandoned.clone());
        ReadTransaction::begin(self.job(lease, watch, limit), abandoned.drop_guard()).await
    }

    /// Whether the statement that `question` gives can be planned; why not is [`ReadError::Invalid`].
    pub async fn plan<Q>(&self, question: Q) -> Result<(), ReadError>
    where
        Q: FnOnce(&Snapshot<'_>) -> Result<Arc<str>, ReadError> + Send + 'static,
    {
        let (lease, shared) = (self.pools.of(self.purpose).lease().await?, self.shared.clone());
        let planned = tokio::task::spawn_blocking(move || {
            let connection = lease.connection()?;
            let made = shared.bounds.made();
            let sql = question(&Snapshot::new(connection, &shared, &RefCell::default(), PATIENCE, made))?;
            connection.prepare(&sql).map(drop).map_err(|error| ReadError::Invalid(error.to_string()))
        });
        planned.await.unwrap_or_else(|error| Err(ReadError::Failed(error.to_string())))
    }

    fn job(&self, lease: Lease, watch: Watch, limit: Duration) -> Job {
        let made = Cell::new(self.shared.bounds.made());
        Job { lease, watch, leases: RefCell::default(), limit, shared: self.shared.clone(), made }
    }

    /// Lets no further query start.
    pub fn close(&self) {
        self.pools.close();
    }
}

/// One query, or one held transaction, on its way.
pub(super) struct Job {
    lease: Lease,
    watch: Watch,
    /// Files of archived days that its statements read.
    leases: RefCell<Vec<archive::Lease>>,
    limit: Duration,
    shared: Shared,
    /// Up to where buckets were made just before the transaction began.
    made: Cell<Made>,
}

impl Job {
    fn run<Q>(self, question: Q, opening: Opening, batches: &Batches)
    where
        Q: FnOnce(&Snapshot<'_>) -> Result<Vec<Statement>, ReadError>,
    {
        let mut opening = Some(opening);
        let answered = self.transact(question, &mut opening, batches);
        self.notice(&answered);
        match (self.finish(answered.is_ok()), answered) {
            (Some(Stopped::TimedOut(limit)), Err(_)) => tell(Err(ReadError::TimedOut(limit)), opening, batches),
            (Some(Stopped::Abandoned), _) => {}
            (_, answered) => tell(answered, opening, batches),
        }
    }

    /// Opens the transaction, at a moment at which nothing changes up to where buckets are made: where they are not, the
    /// rows are still there.
    pub(super) fn begin(&self) -> Result<(), ReadError> {
        let connection = self.lease.connection()?;
        loop {
            self.made.set(self.shared.bounds.made());
            connection.execute_batch("BEGIN TRANSACTION READ ONLY").map_err(failed)?;
            if self.shared.bounds.made() == self.made.get() {
                return Ok(());
            }
            connection.execute_batch("ROLLBACK").map_err(failed)?;
        }
    }

    /// Ends the transaction and gives the connection back. Says why it was stopped before, if it was.
    pub(super) fn finish(self, succeeded: bool) -> Option<Stopped> {
        // Only when no interrupt can come any more may the connection go on.
        let stopped = self.watch.finish();
        let end = if succeeded { "COMMIT" } else { "ROLLBACK" };
        if let Err(error) = self.lease.connection().and_then(|connection| connection.execute_batch(end).map_err(failed))
        {
            tracing::debug!(%error, "a read transaction had ended already");
        }
        stopped
    }

    /// What is stored where, in the transaction that is open.
    pub(super) fn snapshot(&self) -> Result<Snapshot<'_>, ReadError> {
        Ok(Snapshot::new(self.lease.connection()?, &self.shared, &self.leases, self.limit, self.made.get()))
    }

    /// Streams one answer in the transaction that is open.
    pub(super) fn answer(&self, statement: Statement, opening: Opening, batches: &Batches) {
        let mut opening = Some(opening);
        let connection = self.lease.connection();
        let answered = connection.and_then(|connection| self.stream(connection, statement, &mut opening, batches));
        self.notice(&answered);
        let answered = answered.map_err(|error| match self.watch.stopped() {
            Some(Stopped::TimedOut(limit)) => ReadError::TimedOut(limit),
            _ => error,
        });
        tell(answered, opening, batches);
    }

    fn notice(&self, answered: &Result<(), ReadError>) {
        if let Err(error) = answered {
            self.shared.failure.notice(&error.to_string());
        }
    }

    /// Plans and runs the statements in one transaction, and plans them anew each time. A plan is made for the values
    /// that the table holds at that moment: it leaves out filters that hold for all of them and packs groups as tightly
    /// as they allow. Kept, or run in a later transaction, it gives wrong answers once there are other values.
    fn transact<Q>(&self, question: Q, opening: &mut Option<Opening>, batches: &Batches) -> Result<(), ReadError>
    where
        Q: FnOnce(&Snapshot<'_>) -> Result<Vec<Statement>, ReadError>,
    {
        let connection = self.lease.connection()?;
        self.begin()?;
        for statement in question(&self.snapshot()?)? {
            self.stream(connection, statement, opening, batches)?;
        }
        Ok(())
    }

    fn stream(
        &self,
        connection: &Connection,
        statement: Statement,
        opening: &mut Option<Opening>,
        batches: &Batches,
    ) -> Result<(), ReadError> {
        let mut running = connection.prepare(&statement.sql).map_err(failed)?;
        let parameters = statement.parameters.into_iter().map(bind).collect::<Vec<_>>();
        let schema = running.stream_arrow(duckdb::params_from_iter(parameters)).map_err(failed)?.get_schema();
        if let Some(opening) = opening.take() {
            // Nobody waits: the first send below finds out.
            let _ = opening.send(Ok(schema.clone()));
        }
        let mut unordered = Vec::new();
        // The engine's own iterator panics on an error in the middle of an answer.
        while let Some(rows) = running.step().map_err(failed)? {
            let batch = RecordBatch::try_new(schema.clone(), rows.columns().to_vec()).map_err(broken)?;
            if statement.newest_first.is_some() {
                unordered.push(batch);
            } else {
                self.send(batches, batch)?;
            }
        }
        if let Some(NewestFirst { label }) = statement.newest_first {
            newest_first(unordered, label)
                .map_err(broken)?
                .try_for_each(|batch| self.send(batches, batch.map_err(broken)?))?;
        }
        Ok(())
    }

    fn send(&self, batches: &Batches, batch: RecordBatch) -> Result<(), ReadError> {
        if self.watch.send(batches, batch) { Ok(()) } else { Err(ReadError::Stopping) }
    }
}

fn broken(error: arrow::error::ArrowError) -> ReadError {
    ReadError::Failed(error.to_string())
}

/// Tells whoever asked that there is no answer, or no more of it.
fn tell(answered: Result<(), ReadError>, opening: Option<Opening>, batches: &Batches) {
    let Err(error) = answered else { return };
    match opening {
        Some(opening) => drop(opening.send(Err(error))),
        None => drop(batches.try_send(Err(error)).or_else(|unsent| batches.blocking_send(unsent.into_inner()))),
    }
}

pub(super) fn failed(error: duckdb::Error) -> ReadError {
    let text = error.to_string();
    if text.starts_with("Out of Memory Error") {
        ReadError::OutOfMemory(text)
    } else if ["Conversion Error", "Out of Range Error"].iter().any(|kind| text.starts_with(kind)) {
        // The values do not fit what was asked of them, which another question can avoid.
        ReadError::Invalid(text)
    } else {
        ReadError::Failed(text)
    }
}

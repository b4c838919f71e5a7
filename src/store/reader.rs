//! Queries against the database: each on a connection and in a transaction of its own, its result streamed.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::active::ActiveQueries;
use super::commit::CommitLock;
use super::failure::Failure;
use super::figures::Figures;
use super::interrupt::Watch;
use super::job::{Job, begin_together};
use super::memory::EngineMemory;
use super::new_keys::NewKeys;
use super::pool::{Lease, PATIENCE, Pools, Purpose, Usage};
use super::results;
use super::rollup::{Bounds, Rollups};
use super::snapshot::{AllAtOnce, Snapshot, Statement, Statements};
use super::stall::Stall;
use super::transaction::ReadTransaction;
use super::value::Value;
use crate::archive::Files;
use crate::batch::{BatchStream, ReadError};
use crate::budget::{Budget, GRACE, Responses};
use crate::tables::Table;
use crate::time::Micros;

/// Time between two looks for a query that can make way for one that waits for a connection.
const LOOK: Duration = Duration::from_millis(100);
/// Time after one was found until the next look: its connection comes back, though perhaps to somebody who waited longer.
const SETTLING: Duration = Duration::from_millis(500);

/// Reads from the database, through pools of connections. Clones share the pools.
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
    /// The queries that are running.
    pub active: ActiveQueries,
    /// Keeps memory for what is committed.
    pub memory: EngineMemory,
    /// Held while something is committed.
    pub commits: CommitLock,
    /// Keys that have come in and may be those of archived rows.
    pub new_keys: NewKeys,
    /// For rows that are held until they are in order.
    pub gathered: Budget,
    /// For batches until they are encoded.
    pub responses: Responses,
}

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

    /// About up to where the finest roll-ups of a table reach: a query that needs to know asks its [`Snapshot`].
    pub fn rolled_until(&self, table: &Table) -> Micros {
        self.shared.bounds.made().until(table)
    }

    /// What responses hold on their way to clients.
    pub fn responses(&self) -> &Responses {
        &self.shared.responses
    }

    /// How many requests lost their connections because their clients took nothing while others waited.
    pub fn displaced(&self) -> u64 {
        self.shared.active.displaced()
    }

    /// The connections that serve clients.
    pub fn usage(&self) -> Usage {
        self.pools.usage()
    }

    /// Runs a statement with its parameters, `$1` first, and streams the result. See [`Reader::ask`].
    pub async fn query(
        &self,
        sql: impl Into<Arc<str>>,
        parameters: Vec<Value>,
        limit: Duration,
    ) -> Result<BatchStream, ReadError> {
        let statement = Statement::new(sql, parameters);
        self.ask(|_| Ok(vec![statement]), limit).await
    }

    /// Runs a query that depends on what is stored where: `question` sees the [`Snapshot`] and gives the statements,
    /// which run one after the other in the transaction that the snapshot is of. Their results, which must have one
    /// schema, stream as one.
    ///
    /// Returns when the schema is known. Dropping the stream, or `limit` passing, stops the query in the database. Fails
    /// with [`ReadError::Busy`] when no connection becomes free for some seconds.
    pub async fn ask<Q>(&self, question: Q, limit: Duration) -> Result<BatchStream, ReadError>
    where
        Q: FnOnce(&Snapshot<'_>) -> Result<Vec<Statement>, ReadError> + Send + 'static,
    {
        self.ask_each(AllAtOnce::new(question), limit).await
    }

    /// The same with statements that are made one after the other, each when it is its turn.
    pub(super) async fn ask_each(
        &self,
        statements: impl Statements + Send + 'static,
        limit: Duration,
    ) -> Result<BatchStream, ReadError> {
        let abandoned = CancellationToken::new();
        let job = self.job(self.lease().await?, limit, &abandoned, &Arc::default())?;
        let guard = abandoned.drop_guard();
        let (sender, receiver) = results::channel(self.purpose.room(&self.shared.responses));
        tokio::task::spawn_blocking(move || job.run(statements, sender));
        receiver.stream(guard).await
    }

    /// Looks at what is stored where.
    pub async fn look<T, Q>(&self, question: Q) -> Result<T, ReadError>
    where
        T: Send + 'static,
        Q: FnOnce(&Snapshot<'_>) -> Result<T, ReadError> + Send + 'static,
    {
        let (lease, shared) = (self.lease().await?, self.shared.clone());
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
        let lease = self.lease().await?;
        let mut begun = self.begin_all(vec![lease], limit).await?;
        begun.pop().ok_or_else(|| ReadError::Failed("a transaction has one connection".into()))
    }

    /// Opens one transaction or, where enough connections are free, two that see one snapshot and run side by
    /// side. See [`Reader::begin`].
    pub async fn begin_pair(&self, limit: Duration) -> Result<Vec<ReadTransaction>, ReadError> {
        let mut leases = vec![self.lease().await?];
        leases.extend(self.pools.of(self.purpose).try_second());
        self.begin_all(leases, limit).await
    }

    async fn begin_all(&self, leases: Vec<Lease>, limit: Duration) -> Result<Vec<ReadTransaction>, ReadError> {
        let (mut jobs, mut guards) = (Vec::new(), Vec::new());
        let stall = Arc::default();
        for lease in leases {
            let abandoned = CancellationToken::new();
            jobs.push(self.job(lease, limit, &abandoned, &stall)?);
            guards.push(abandoned.drop_guard());
        }
        let begun = tokio::task::spawn_blocking(move || match begin_together(&jobs.iter().collect::<Vec<_>>()) {
            Ok(()) => Ok(jobs),
            Err(error) => Err(jobs.into_iter().fold(error, |error, job| {
                let error = job.reason().explain(error);
                job.finish(false);
                error
            })),
        });
        let jobs = begun.await.map_err(|error| ReadError::Failed(error.to_string()))??;
        let serve = |(job, guard)| ReadTransaction::serve(job, guard, self.purpose, self.shared.responses.clone());
        Ok(jobs.into_iter().zip(guards).map(serve).collect())
    }

    /// Whether the statement that `question` gives can be planned; why not is [`ReadError::Invalid`].
    pub async fn plan<Q>(&self, question: Q) -> Result<(), ReadError>
    where
        Q: FnOnce(&Snapshot<'_>) -> Result<Arc<str>, ReadError> + Send + 'static,
    {
        let (lease, shared) = (self.lease().await?, self.shared.clone());
        let planned = tokio::task::spawn_blocking(move || {
            let connection = lease.connection()?;
            let made = shared.bounds.made();
            let sql = question(&Snapshot::new(connection, &shared, &RefCell::default(), PATIENCE, made))?;
            connection.prepare(&sql).map(drop).map_err(|error| ReadError::Invalid(error.to_string()))
        });
        planned.await.unwrap_or_else(|error| Err(ReadError::Failed(error.to_string())))
    }

    /// A connection, waiting for it for some seconds. Meanwhile the API's own queries make way whose clients take nothing of
    /// what they asked for: those of users' SQL and backups wait for other things, and exports have connections of their own.
    async fn lease(&self) -> Result<Lease, ReadError> {
        let mut lease = pin!(self.pools.of(self.purpose).lease());
        if self.purpose != Purpose::Named {
            return lease.await;
        }
        let mut pause = LOOK;
        loop {
            match tokio::time::timeout(pause, lease.as_mut()).await {
                Ok(lease) => return lease,
                Err(_) if self.shared.active.displace_stalled(self.purpose, GRACE) => pause = SETTLING,
                Err(_) => pause = LOOK,
            }
        }
    }

    /// A query on a leased connection, which ends when `abandoned` is cancelled.
    fn job(
        &self,
        lease: Lease,
        limit: Duration,
        abandoned: &CancellationToken,
        stall: &Arc<Stall>,
    ) -> Result<Job, ReadError> {
        let active = self.shared.active.enter(lease.purpose(), stall);
        let watch = Watch::start(lease.connection()?.interrupt_handle(), limit, abandoned.clone(), &active);
        Ok(Job::new(lease, watch, active, limit, self.shared.clone()))
    }

    /// Lets no further query start.
    pub fn close(&self) {
        self.pools.close();
        self.shared.memory.close();
    }
}

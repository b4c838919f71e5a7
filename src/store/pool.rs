//! Connections for reading, in pools: whoever draws on one of them leaves the others alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use duckdb::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::batch::ReadError;
use crate::budget::{ReaderShares, Responses, ResultRoom};

/// How long a query may wait for a connection.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Named queries of the API.
    Named,
    /// Exports, which last as long as the client's line makes them.
    Exports,
    /// Users' SQL.
    Sql,
    /// Short queries about the server itself, which must be answered however many clients are being served.
    Reserved,
    /// Backups: transactions that are held open, one at a time.
    Held,
}

impl Purpose {
    /// Room for the batches of a result. What clients share is for what clients read: the rows that users' SQL reads are used
    /// by its worker, whose result has to find room itself.
    pub(super) fn room(self, responses: &Responses) -> ResultRoom {
        match self {
            Self::Named | Self::Exports => ResultRoom::of(responses),
            Self::Sql | Self::Reserved | Self::Held => ResultRoom::apart(responses),
        }
    }
}

/// All pools.
pub struct Pools {
    named: Arc<Pool>,
    exports: Arc<Pool>,
    sql: Arc<Pool>,
    reserved: Arc<Pool>,
    held: Arc<Pool>,
}

/// How many connections are in use, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// In use now.
    pub used: usize,
    /// All of them.
    pub all: usize,
}

pub(super) struct Pool {
    purpose: Purpose,
    all: usize,
    /// Idle connections. A mutex held only for a push or a pop.
    idle: Mutex<Vec<Connection>>,
    /// As many permits as there are connections.
    free: Arc<Semaphore>,
}

impl Pools {
    /// As many connections of each kind as `shares` says, all of them clones of `connection`.
    pub fn clone_of(connection: &Connection, shares: &ReaderShares) -> Result<Self, duckdb::Error> {
        let pool = |purpose, count| {
            let connections = (0..count).map(|_| connection.try_clone()).collect::<Result<Vec<_>, _>>()?;
            let free = Arc::new(Semaphore::new(count));
            Ok::<_, duckdb::Error>(Arc::new(Pool { purpose, all: count, idle: Mutex::new(connections), free }))
        };
        Ok(Self {
            named: pool(Purpose::Named, shares.named)?,
            exports: pool(Purpose::Exports, shares.exports)?,
            sql: pool(Purpose::Sql, shares.sql)?,
            reserved: pool(Purpose::Reserved, shares.reserved)?,
            held: pool(Purpose::Held, shares.held)?,
        })
    }

    pub(super) fn of(&self, purpose: Purpose) -> &Arc<Pool> {
        match purpose {
            Purpose::Named => &self.named,
            Purpose::Exports => &self.exports,
            Purpose::Sql => &self.sql,
            Purpose::Reserved => &self.reserved,
            Purpose::Held => &self.held,
        }
    }

    /// The connections that serve clients.
    pub fn usage(&self) -> Usage {
        let pools = [&self.named, &self.exports, &self.sql];
        let used = pools.iter().map(|pool| pool.all.saturating_sub(pool.free.available_permits())).sum();
        Usage { used, all: pools.iter().map(|pool| pool.all).sum() }
    }

    /// Lets no further query start.
    pub fn close(&self) {
        let pools = [&self.named, &self.exports, &self.sql, &self.reserved, &self.held];
        pools.iter().for_each(|pool| pool.free.close());
    }
}

impl Pool {
    /// Waits for a connection to become free, for some seconds.
    pub async fn lease(self: &Arc<Self>) -> Result<Lease, ReadError> {
        let permit = tokio::time::timeout(PATIENCE, self.free.clone().acquire_owned()).await;
        Ok(self.leased(permit.map_err(|_| ReadError::Busy)?.map_err(|_| ReadError::Stopping)?))
    }

    /// A second connection for a request, while at least half of them are free: a few requests never take all there are.
    pub fn try_second(self: &Arc<Self>) -> Option<Lease> {
        if self.free.available_permits() * 2 < self.all {
            return None;
        }
        self.free.clone().try_acquire_owned().ok().map(|permit| self.leased(permit))
    }

    fn leased(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Lease {
        Lease { connection: self.idle().pop(), pool: self.clone(), _permit: permit }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection out of a pool, to which it goes back however its use ends.
pub(super) struct Lease {
    /// Taken when it goes back.
    connection: Option<Connection>,
    pool: Arc<Pool>,
    /// Dropped last, when the connection is back.
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    pub fn connection(&self) -> Result<&Connection, ReadError> {
        self.connection.as_ref().ok_or(ReadError::Stopping)
    }

    pub fn purpose(&self) -> Purpose {
        self.pool.purpose
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.idle().extend(self.connection.take());
    }
}

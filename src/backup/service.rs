//! Backups of a running server: one at a time, and an account of the last one.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{BackupError, Database, Place, Progress, Taken, Watcher, schedule::schedule, take};
use crate::location::Location;
use crate::store::Store;
use crate::time::{self, Micros};

/// Reports that wait for a client who reads slowly; more of them are left out.
const WAITING_REPORTS: usize = 64;

/// What whoever started a backup is told, line by line. The last one is not [`Report::Progress`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Report {
    /// It goes on.
    Progress(Progress),
    /// It is there.
    Taken(Taken),
    /// There is none.
    Failed {
        /// Why not.
        error: String,
    },
}

/// Takes backups of a database. Clones share it.
#[derive(Clone)]
pub struct Backups {
    shared: Arc<Shared>,
}

struct Shared {
    database: Database,
    location: Location,
    stop: CancellationToken,
    running: tokio::sync::Mutex<()>,
    tasks: TaskTracker,
    last: Mutex<Last>,
}

/// How the last backups went.
#[derive(Debug, Clone, Default)]
pub struct Last {
    /// The last one that succeeded since the start.
    pub taken: Option<Taken>,
    /// When it was complete.
    pub taken_at: Option<Micros>,
    /// Why the last attempt failed, if it did.
    pub error: Option<String>,
    /// Attempts that failed since the start.
    pub errors: u64,
}

impl Backups {
    /// Backups go to `location` when no other is named, until `stop` is cancelled.
    pub fn new(store: &Store, location: Location, stop: CancellationToken) -> Self {
        let database = Database::of(store);
        let (running, tasks, last) = (tokio::sync::Mutex::new(()), TaskTracker::new(), Mutex::default());
        Self { shared: Arc::new(Shared { database, location, stop, running, tasks, last }) }
    }

    /// Where backups go when no other place is named.
    pub fn location(&self) -> &Location {
        &self.shared.location
    }

    /// Which database it is.
    pub(super) fn identity(&self) -> &str {
        &self.shared.database.identity
    }

    /// Cancelled when the server stops.
    pub(super) fn stopped(&self) -> &CancellationToken {
        &self.shared.stop
    }

    /// Takes a backup whenever the newest one is as old as `every`, and keeps `keep` of them.
    pub fn schedule(&self, every: Duration, keep: usize) {
        self.shared.tasks.spawn(schedule(self.clone(), every, keep));
    }

    /// Begins a backup, and reports until it ends. It is stopped when nobody reads the reports any more.
    pub fn start(&self, to: Option<Location>, keep: Option<usize>) -> mpsc::Receiver<Report> {
        let (reports, receiver) = mpsc::channel(WAITING_REPORTS);
        let backups = self.clone();
        self.shared.tasks.spawn(async move {
            let stop = backups.shared.stop.child_token();
            let watcher = |progress| drop(reports.try_send(Report::Progress(progress)));
            let to = to.unwrap_or_else(|| backups.shared.location.clone());
            let mut taking = pin!(backups.take(&to, keep, &stop, &watcher));
            let outcome = tokio::select! {
                outcome = &mut taking => outcome,
                () = reports.closed() => {
                    stop.cancel();
                    taking.await
                }
            };
            let report = match outcome {
                Ok(taken) => Report::Taken(taken),
                Err(error) => {
                    backups.failed(&error);
                    Report::Failed { error: error.to_string() }
                }
            };
            // Whoever asked may have gone.
            let _ = reports.send(report).await;
        });
        receiver
    }

    /// Takes a backup unless another one is being taken.
    pub(super) async fn take(
        &self,
        to: &Location,
        keep: Option<usize>,
        stop: &CancellationToken,
        watcher: Watcher<'_>,
    ) -> Result<Taken, BackupError> {
        let _running = self.shared.running.try_lock().map_err(|_| BackupError::Running)?;
        let taken = take(&self.shared.database, &Place::open(to)?, keep, stop, watcher).await?;
        let mut last = self.lock();
        (last.taken, last.taken_at, last.error) = (Some(taken.clone()), Some(time::now()), None);
        Ok(taken)
    }

    /// Takes down that there was to be a backup and is none.
    pub(super) fn failed(&self, error: &BackupError) {
        if matches!(error, BackupError::Running | BackupError::Stopped) {
            tracing::info!(%error, "no backup was taken");
            return;
        }
        tracing::error!(%error, "a backup failed");
        let mut last = self.lock();
        last.errors += 1;
        last.error = Some(error.to_string());
    }

    /// How the last backups went.
    pub fn last(&self) -> Last {
        self.lock().clone()
    }

    /// Stops what is being taken, and returns when nothing of it goes on, or when an object store that does not answer
    /// has held it up for `patience`.
    pub async fn close(&self, patience: Duration) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        if tokio::time::timeout(patience, self.shared.tasks.wait()).await.is_err() {
            tracing::warn!("a backup did not stop in time; what it left is removed by the next one");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        self.shared.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

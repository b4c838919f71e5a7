//! What the server does by itself once a day: old days go into the archive, older ones for good. Both only by a clock that can
//! be believed. And what it does soon after rows came in that replace archived ones.

mod clock;
mod postponed;
mod replaced;
mod retention;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::archive::{Archive, ArchiveError, MovedDay};
use crate::config::Settings;
use crate::store::Store;
use crate::time::{self, Micros};

pub use clock::{Clock, Implausible};
pub use replaced::ReplacedRows;
pub use retention::{Dropped, Retention};

/// Time from the start to the first run: a start has better things to do.
const FIRST_RUN: Duration = Duration::from_secs(120);
/// Time between two looks at the clock, which may be set meanwhile.
const LOOK: Duration = Duration::from_secs(60);

/// Runs archive and retention, one at a time. Clones share it.
#[derive(Clone)]
pub struct Upkeep {
    archive: Archive,
    retention: Retention,
    clock: Clock,
    running: Arc<tokio::sync::Mutex<()>>,
    last: Arc<Mutex<LastRun>>,
    last_retention: Arc<Mutex<LastRetention>>,
    stop: CancellationToken,
}

/// How a run is to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Order {
    /// Change nothing, and say what would be done.
    pub dry_run: bool,
    /// The clock is right, whatever it said before.
    pub confirm_clock: bool,
}

/// What came of the last runs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LastRun {
    /// When one ended last.
    #[serde(serialize_with = "naive")]
    pub ended_at: Option<Micros>,
    /// Days moved into the archive since the start.
    pub days_archived: usize,
    /// Days that the last run could not move.
    pub days_failed: usize,
    /// Why the last run, or a day in it, failed.
    pub last_error: Option<String>,
}

/// What came of the last run of retention.
#[derive(Debug, Clone, Copy, Default)]
pub struct LastRetention {
    /// When it ended.
    pub ended_at: Option<Micros>,
    /// Whether it failed.
    pub failed: bool,
    /// Rows and buckets dropped since the start.
    pub rows_dropped: u64,
}

impl Upkeep {
    /// Looks after `store` until `stop` is cancelled.
    pub fn new(store: &Store, settings: &Settings, stop: CancellationToken) -> Self {
        let archive = Archive::new(store, settings.archive.clone(), stop.clone());
        Self {
            archive: archive.clone(),
            retention: Retention::new(store, archive, settings.retention.clone()),
            clock: Clock::new(store),
            running: Arc::default(),
            last: Arc::default(),
            last_retention: Arc::default(),
            stop,
        }
    }

    /// Moves days into the archive, or says which ones. Once begun, it goes on when nobody waits for it.
    pub async fn archive(&self, order: Order) -> Result<Vec<MovedDay>, ArchiveError> {
        let now = self.now(order).await?;
        if order.dry_run {
            return self.archive.plan(now).await;
        }
        let upkeep = self.clone();
        detached(async move {
            let _alone = upkeep.running.lock().await;
            let moved = upkeep.archive.run(now).await;
            upkeep.note(&moved);
            moved
        })
        .await
    }

    /// Drops what is too old, or says what. Once begun, it goes on when nobody waits for it.
    pub async fn retention(&self, order: Order) -> Result<Vec<Dropped>, ArchiveError> {
        let now = self.now(order).await?;
        if order.dry_run {
            return self.retention.run(now, true).await;
        }
        let upkeep = self.clone();
        detached(async move {
            let _alone = upkeep.running.lock().await;
            let dropped = upkeep.retention.run(now, false).await;
            upkeep.note_retention(&dropped);
            dropped
        })
        .await
    }

    /// Why the clock is doubted, as long as it is: then nothing is archived or dropped.
    pub fn doubt(&self) -> watch::Receiver<Option<Implausible>> {
        self.clock.doubt()
    }

    async fn now(&self, order: Order) -> Result<Micros, ArchiveError> {
        match order {
            // Whoever only looks changes nothing, the belief in the clock included.
            Order { confirm_clock: true, dry_run: true } => Ok(time::now()),
            Order { confirm_clock: true, .. } => Ok(self.clock.confirm().await),
            Order { .. } => Ok(self.clock.now().await?),
        }
    }

    /// What came of the last runs.
    pub fn last(&self) -> LastRun {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What came of the last run of retention.
    pub fn last_retention(&self) -> LastRetention {
        *self.last_retention.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs both some time after the start, and again whenever a day is over, by a clock that is believed.
    pub fn spawn(&self) -> JoinHandle<()> {
        let upkeep = self.clone();
        tokio::spawn(async move {
            let mut done = None::<Micros>;
            let first_run = Instant::now() + FIRST_RUN;
            loop {
                // Looked at from the start on, so that it is known from when on it was wrong.
                let today = upkeep.clock.now().await.map(time::day_start).ok();
                if Instant::now() >= first_run && today.is_some() && done != today {
                    done = today;
                    upkeep.run().await;
                }
                let look = Instant::now() + LOOK;
                let next = if done.is_none() && first_run > Instant::now() { look.min(first_run) } else { look };
                tokio::select! {
                    () = upkeep.stop.cancelled() => return,
                    () = tokio::time::sleep_until(next) => {}
                }
            }
        })
    }

    /// Waits until nothing is under way; for after `stop` was cancelled.
    pub async fn ended(&self) {
        drop(self.running.lock().await);
    }

    async fn run(&self) {
        if let Err(error) = self.archive(Order::default()).await {
            tell("old days could not be archived", &error);
        }
        if let Err(error) = self.retention(Order::default()).await {
            tell("old days could not be dropped", &error);
        }
    }

    fn note_retention(&self, dropped: &Result<Vec<Dropped>, ArchiveError>) {
        let mut last = self.last_retention.lock().unwrap_or_else(PoisonError::into_inner);
        last.ended_at = Some(time::now());
        last.failed = dropped.is_err();
        last.rows_dropped += dropped.iter().flatten().map(|dropped| dropped.rows).sum::<u64>();
    }

    fn note(&self, moved: &Result<Vec<MovedDay>, ArchiveError>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.ended_at = Some(time::now());
        match moved {
            Ok(days) => {
                last.days_failed = days.iter().filter(|day| day.error.is_some()).count();
                last.days_archived += days.len() - last.days_failed;
                last.last_error = days.iter().rev().find_map(|day| day.error.clone());
            }
            Err(error) => last.last_error = Some(error.to_string()),
        }
    }
}

fn naive<S: Serializer>(instant: &Option<Micros>, serializer: S) -> Result<S::Ok, S::Error> {
    instant.map(time::format_naive).serialize(serializer)
}

fn tell(what: &'static str, error: &ArchiveError) {
    match error {
        ArchiveError::Stopping => tracing::info!("{what}: the server is stopping, the next start goes on"),
        error => tracing::error!(%error, "{what}"),
    }
}

async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, ArchiveError>> + Send + 'static,
) -> Result<T, ArchiveError> {
    tokio::spawn(work).await.map_err(|_| ArchiveError::Stopping)?
}

//! How many queries run at one time, and with how much memory.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::{Launcher, Progress, Worker};
use crate::batch::ReadError;
use crate::budget::{Budget, GRACE};
use crate::config::QuerySettings;
use crate::query::sql::figures::{Stopped, Usage};
use crate::query::sql::worker::Allowance;

/// How long a query waits for its turn before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two looks for a query that can make way for one that waits for its turn.
const LOOK: Duration = Duration::from_millis(100);
/// Below this a worker has little room for rows beside what it always holds: there are fewer places instead. An idle worker
/// with more is ended rather than kept.
const LEAST_BYTES: u64 = 64 << 20;
/// How long a query waits for a worker that is about to become idle, before another one is started: that takes longer.
const SOON: Duration = Duration::from_millis(20);
/// How long idle workers are kept, but for one.
const IDLE_TIME: Duration = Duration::from_secs(10);
/// The part of the memory that is not given out: a worker grows until the next look at it.
const HEADROOM: u64 = 8;

/// The places for queries, and the workers that are idle.
pub struct Workers {
    launcher: Launcher,
    places: Arc<Semaphore>,
    all_places: usize,
    /// What all workers take together.
    memory: Budget,
    /// What a query is promised.
    share: u64,
    idle: Mutex<Vec<Worker>>,
    /// The queries that run.
    running: Mutex<Vec<Weak<Progress>>>,
    /// Told whenever a worker becomes idle.
    became_idle: Notify,
    stopped: Stopped,
}

impl Workers {
    /// Divides what `settings` allow. Nothing starts before the first query.
    pub fn new(launcher: Launcher, settings: &QuerySettings) -> Arc<Self> {
        let all = (settings.memory_limit_bytes as u64).max(LEAST_BYTES);
        let all = all - all / HEADROOM;
        let places = settings.concurrency.min(usize::try_from(all / LEAST_BYTES).unwrap_or(usize::MAX)).max(1);
        Arc::new(Self {
            launcher,
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            all_places: places,
            memory: Budget::new("the memory of users' SQL", all),
            share: all / places as u64,
            idle: Mutex::default(),
            running: Mutex::default(),
            became_idle: Notify::new(),
            stopped: Stopped::default(),
        })
    }

    /// A worker for one query; [`ReadError::Busy`] when there is no place for a while.
    pub async fn take(&self) -> Result<Worker, ReadError> {
        let until = Instant::now() + PATIENCE;
        let place = self.place(until).await?;
        let mut idle = self.find_idle().await;
        if let Some(worker) = &mut idle {
            // What it takes is part of what the query is promised.
            worker.memory.shrink(u64::MAX);
        }
        let left = until.saturating_duration_since(Instant::now());
        let memory = self.memory.reserve(self.share, left).await.map_err(|_| ReadError::Busy)?;
        match idle {
            Some(mut worker) => {
                worker.memory = memory;
                worker.place = Some(place);
                Ok(worker)
            }
            None => self.launcher.launch(self.allowance(), place, memory),
        }
    }

    /// A query begins. Its client's turn is over when others need its worker.
    pub fn begin(&self) -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        let mut running = self.running();
        running.retain(|running| running.strong_count() > 0);
        running.push(Arc::downgrade(&progress));
        progress
    }

    /// A place, waiting for it. Meanwhile a query makes way whose client takes nothing of its result.
    async fn place(&self, until: Instant) -> Result<OwnedSemaphorePermit, ReadError> {
        let mut place = pin!(self.places.clone().acquire_owned());
        loop {
            let look = until.min(Instant::now() + LOOK);
            match tokio::time::timeout_at(look, place.as_mut()).await {
                Ok(place) => return place.map_err(|_| ReadError::Stopping),
                Err(_) if look >= until => return Err(ReadError::Busy),
                Err(_) => self.displace_stalled(),
            }
        }
    }

    /// Ends the query that has waited longest for its client, if one has for a while.
    fn displace_stalled(&self) {
        let running: Vec<_> = self.running().iter().filter_map(Weak::upgrade).collect();
        let stalled =
            running.iter().filter_map(|query| Some((query.stalled().filter(|stalled| *stalled >= GRACE)?, query)));
        let Some((stalled, longest)) = stalled.max_by_key(|(stalled, _)| *stalled) else { return };
        tracing::warn!(
            seconds = stalled.as_secs_f64(),
            "a query of users' SQL was stopped: its client takes nothing of its result, and others wait for its worker"
        );
        longest.displace();
    }

    fn running(&self) -> MutexGuard<'_, Vec<Weak<Progress>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a worker that is idle for the next query, unless it has become large.
    pub fn keep(self: &Arc<Self>, mut worker: Worker) {
        let resident = worker.resident_bytes();
        if resident > LEAST_BYTES {
            return;
        }
        let held = worker.memory.amount();
        worker.memory.shrink(held.saturating_sub(resident));
        worker.place = None;
        worker.idle_since = Instant::now();
        self.idle().push(worker);
        self.became_idle.notify_one();
        let workers = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(IDLE_TIME).await;
            if let Some(workers) = workers.upgrade() {
                workers.end_superfluous();
            }
        });
    }

    /// Ends the idle workers, for their memory. False when there are none.
    pub fn end_idle(&self) -> bool {
        let ended = std::mem::take(&mut *self.idle());
        !ended.is_empty()
    }

    /// What runs now.
    pub fn usage(&self) -> Usage {
        Usage {
            running: self.all_places.saturating_sub(self.places.available_permits()),
            idle: self.idle().len(),
            places: self.all_places,
            memory: self.memory.used(),
            memory_limit: self.memory.limit(),
        }
    }

    /// The queries that were stopped so far.
    pub fn stopped(&self) -> &Stopped {
        &self.stopped
    }

    /// What all workers may take together, in bytes.
    pub fn memory_limit(&self) -> u64 {
        self.memory.limit()
    }

    /// Whether at most one place is taken.
    pub fn is_alone(&self) -> bool {
        self.places.available_permits() + 1 >= self.all_places
    }

    fn allowance(&self) -> Allowance {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        Allowance { memory: usize::try_from(self.memory.limit()).unwrap_or(usize::MAX), threads }
    }

    /// An idle worker, or one that becomes idle soon: a client's next query may come before the worker of its last one
    /// has said that nothing of it runs any more.
    async fn find_idle(&self) -> Option<Worker> {
        let idle = self.pop_idle();
        if idle.is_some() || self.is_alone() || tokio::time::timeout(SOON, self.became_idle.notified()).await.is_err() {
            return idle;
        }
        self.pop_idle()
    }

    /// The worker that became idle last, of those that are still there.
    fn pop_idle(&self) -> Option<Worker> {
        loop {
            let mut worker = self.idle().pop()?;
            if worker.is_running() {
                return Some(worker);
            }
        }
    }

    /// Ends those that nobody has needed for a while, but keeps one.
    fn end_superfluous(&self) {
        let mut idle = self.idle();
        while idle.len() > 1 && idle.first().is_some_and(|oldest| oldest.idle_since.elapsed() >= IDLE_TIME) {
            idle.remove(0);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(memory: usize, concurrency: usize) -> (usize, u64, u64) {
        let settings = QuerySettings { memory_limit_bytes: memory, concurrency, ..QuerySettings::default() };
        let workers = Workers::new(Launcher::Thread, &settings);
        (workers.places.available_permits(), workers.share >> 20, workers.memory_limit() >> 20)
    }

    #[test]
    fn memory_is_divided_among_the_places_and_too_little_of_it_means_fewer_places() {
        assert_eq!(divided(512 << 20, 4), (4, 112, 448));
        assert_eq!(divided(256 << 20, 4), (3, 74, 224));
        assert_eq!(divided(4 << 30, 4), (4, 896, 3584));
        assert_eq!(divided(1 << 20, 4), (1, 56, 56));
    }
}

//! What each collector is doing, as the health pages report it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The four collectors, by the names that the API uses.
#[derive(Debug)]
pub struct Components {
    /// Market data.
    pub market_data: Collector,
    /// Strategies.
    pub strategy: Collector,
    /// Execution.
    pub execution: Collector,
    /// The machine.
    pub system: Collector,
}

impl Default for Components {
    fn default() -> Self {
        Self {
            market_data: Collector::new("market_data"),
            strategy: Collector::new("strategy"),
            execution: Collector::new("execution"),
            system: Collector::new("system"),
        }
    }
}

impl Components {
    /// All four, in the order of the API.
    pub fn all(&self) -> [&Collector; 4] {
        [&self.market_data, &self.strategy, &self.execution, &self.system]
    }
}

/// One collector's own account of itself. Counters are atomics; the rest changes at most once a second.
#[derive(Debug)]
pub struct Collector {
    /// Its name.
    pub name: &'static str,
    collected: AtomicU64,
    errors: AtomicU64,
    skipped: AtomicU64,
    left_out: AtomicU64,
    hidden: AtomicUsize,
    state: Mutex<CollectorState>,
}

/// What is true of a collector now.
#[derive(Debug, Clone, Default)]
pub struct CollectorState {
    /// Since when its task runs; `None` when it does not run.
    pub running_since: Option<Instant>,
    /// When it last finished a round, whether or not its source answered.
    pub last_round: Option<Instant>,
    /// Whether its source answers.
    pub connection: Connection,
    /// Where its values come from: a URL, `host`, or `simulator (demo)`.
    pub source: String,
    /// The last error, in words.
    pub last_error: Option<String>,
}

/// Whether a collector's source answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Connection {
    /// Not asked yet.
    #[default]
    Unknown,
    /// The last attempt succeeded.
    Connected,
    /// The last attempt failed.
    Disconnected,
    /// There is no source: the values are simulated.
    Simulated,
}

impl Connection {
    /// The word for it on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "connecting",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Simulated => "simulated",
        }
    }
}

impl Collector {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            collected: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            hidden: AtomicUsize::new(0),
            state: Mutex::new(CollectorState::default()),
        }
    }

    /// Its task has begun, or has been started again.
    pub fn started(&self, source: &str) {
        let mut state = self.lock();
        state.running_since.get_or_insert_with(Instant::now);
        state.last_round = Some(Instant::now());
        source.clone_into(&mut state.source);
    }

    /// Its task has ended.
    pub fn stopped(&self) {
        self.lock().running_since = None;
    }

    /// A round is over: `rows` were handed to the store.
    pub fn finished_round(&self, connection: Connection, rows: u64) {
        self.collected.fetch_add(rows, Ordering::Relaxed);
        let mut state = self.lock();
        state.last_round = Some(Instant::now());
        state.connection = connection;
        if connection != Connection::Disconnected {
            state.last_error = None;
        }
    }

    /// Something went wrong and was survived.
    pub fn failed(&self, error: String) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.lock().last_error = Some(error);
    }

    /// Rows collected so far.
    pub fn collected(&self) -> u64 {
        self.collected.load(Ordering::Relaxed)
    }

    /// Errors survived so far.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Samples were left out: no finite numbers, or of no use to any column.
    pub fn skip(&self, samples: u64) {
        self.skipped.fetch_add(samples, Ordering::Relaxed);
    }

    /// Samples left out so far.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Samples were left out because their service has more series than are kept. Says whether they are the first.
    pub fn leave_out(&self, samples: u64) -> bool {
        samples > 0 && self.left_out.fetch_add(samples, Ordering::Relaxed) == 0
    }

    /// Samples left out so far because there were too many.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// So many labels are stored and not shown among the newest values.
    pub fn hide(&self, labels: usize) {
        self.hidden.store(labels, Ordering::Relaxed);
    }

    /// Labels that are stored and not shown among the newest values.
    pub fn hidden(&self) -> usize {
        self.hidden.load(Ordering::Relaxed)
    }

    /// What is true of it now.
    pub fn state(&self) -> CollectorState {
        self.lock().clone()
    }

    /// Whether its task runs and has finished a round within `patience`.
    pub fn is_alive(&self, patience: Duration) -> bool {
        let state = self.lock();
        state.running_since.is_some() && state.last_round.is_some_and(|round| round.elapsed() < patience)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, CollectorState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

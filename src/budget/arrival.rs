//! The body of a request on its way here: how fast it comes, and whether others need the room that it takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::holders::Since;

/// Who sends this much in a second is never late.
const PACE: u64 = 64 << 10;
/// How long a client may send nothing, at the beginning and at any time. A busy server may see later than that what is here.
const MOMENT: Duration = Duration::from_millis(100);
/// A client that has sent much may be silent for longer, a second for each so many bytes...
const SENT: u64 = 2 << 20;
/// ... but for no longer than this. Whoever sends a lot at once, and then nothing, has to do it again as often.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a body that holds room may wait for more of it, which is longer than for one that is late. Those that wait for each
/// other would do so for ever.
const DEADLOCK: Duration = Duration::from_millis(750);

/// A body on its way. It is late when its client sends less than `PACE`; what it holds then is for others who need it.
pub struct Arrival {
    late: Arc<Since>,
    pace: Mutex<Pace>,
    cut: CancellationToken,
    over: AtomicBool,
}

struct Pace {
    received: u64,
    /// When it is late.
    due: Instant,
}

impl Arrival {
    /// One of which nothing has come yet.
    pub fn begin() -> Arc<Self> {
        let due = Instant::now() + MOMENT;
        let late = Arc::new(Since::default());
        late.set(due);
        let pace = Mutex::new(Pace { received: 0, due });
        Arc::new(Self { late, pace, cut: CancellationToken::new(), over: AtomicBool::new(false) })
    }

    /// Its client may send from now on.
    pub fn restart(&self) {
        self.postpone(&mut self.pace(), Instant::now() + MOMENT);
    }

    /// So much more of it has come.
    pub fn received(&self, bytes: usize) {
        let mut pace = self.pace();
        pace.received = pace.received.saturating_add(bytes as u64);
        let ahead = MOMENT + seconds(pace.received, SENT).min(PAUSE);
        let due = (pace.due + seconds(bytes as u64, PACE)).min(Instant::now() + ahead);
        self.postpone(&mut pace, due);
    }

    /// All of it is here.
    pub fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Whether all of it is here.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Waits until others need its room.
    pub async fn is_cut(&self) {
        self.cut.cancelled().await;
    }

    /// Waits for room in place of the client, whose time does not count meanwhile. `None` when others need what it has.
    pub async fn wait_for_room<T>(&self, room: impl Future<Output = T>) -> Option<T> {
        let began = Instant::now();
        self.late.set(began + DEADLOCK);
        let outcome = tokio::select! {
            biased;
            outcome = room => Some(outcome),
            () = self.is_cut() => None,
        };
        let mut pace = self.pace();
        let due = pace.due + began.elapsed();
        self.postpone(&mut pace, due);
        outcome
    }

    pub(super) fn late(&self) -> &Arc<Since> {
        &self.late
    }

    /// Asks it to let go of what it holds.
    pub(super) fn cut(&self) {
        self.cut.cancel();
    }

    fn postpone(&self, pace: &mut Pace, due: Instant) {
        pace.due = due;
        self.late.set(due);
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time that `bytes` take at so many in a second.
fn seconds(bytes: u64, pace: u64) -> Duration {
    Duration::from_micros(bytes.saturating_mul(1_000_000) / pace)
}

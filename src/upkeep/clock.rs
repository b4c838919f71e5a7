//! Whether the wall clock can be believed: what is dropped because of a wrong one does not come back.
//!
//! A clock is believed while it goes on from where it was last believed. After a jump, be it while the server ran or while it
//! was off, nothing is archived or dropped until the clock is right again, until it has said the new time for some days, or
//! until the operator says that it is right.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::store::{ClockRecord, Maintenance, MaintenanceError, Store};
use crate::time::{self, DAY, Micros, SECOND};

/// How far the clock may have gone on, or back, since it was last believed: a night and a day without the server.
const JUMP: Micros = 36 * 3_600 * SECOND;
/// How long a time must be told, without another jump, before it is believed.
const CONFIRMED: Micros = 3 * DAY;
/// How often the database is told that the clock is still believed.
const NOTED: Micros = 3_600 * SECOND;

/// What is known of the wall clock. Clones share it.
#[derive(Clone)]
pub struct Clock {
    known: Arc<Mutex<Known>>,
    doubt: Arc<watch::Sender<Option<Implausible>>>,
    maintenance: Maintenance,
}

struct Known {
    record: ClockRecord,
    noted: Option<ClockRecord>,
}

/// The clock says something else than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock says {}, but said {} when it was last believed: nothing is archived or dropped. Set it right; or, if it is \
     right because the server was off for a while, run `observability-api retention --confirm-clock`. It is believed by \
     itself when it has gone on from there for three days",
    time::format_naive(*.now), time::format_naive(*.believed_at)
)]
pub struct Implausible {
    /// What it says.
    pub now: Micros,
    /// What it said when it was last believed.
    pub believed_at: Micros,
}

impl Clock {
    /// As the database of `store` remembers it.
    pub fn new(store: &Store) -> Self {
        let known = Known { record: store.clock(), noted: None };
        Self { known: Arc::new(Mutex::new(known)), doubt: Arc::default(), maintenance: store.maintenance() }
    }

    /// Why the clock is doubted, as long as it is.
    pub fn doubt(&self) -> watch::Receiver<Option<Implausible>> {
        self.doubt.subscribe()
    }

    /// The time, if it can be believed.
    pub async fn now(&self) -> Result<Micros, Implausible> {
        let now = time::now();
        self.look(now, |record| observed(record, now)).await
    }

    /// The time, which the operator says is right.
    pub async fn confirm(&self) -> Micros {
        let now = time::now();
        let confirmed = ClockRecord { believed_at: now, doubted: None };
        let _believed = self.look(now, |_| confirmed).await;
        now
    }

    async fn look(&self, now: Micros, observe: impl FnOnce(ClockRecord) -> ClockRecord) -> Result<Micros, Implausible> {
        let (record, is_news) = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.record = observe(known.record);
            (known.record, known.noted.is_none_or(|noted| is_news(noted, known.record)))
        };
        let doubt = record.doubted.map(|_| Implausible { now, believed_at: record.believed_at });
        self.tell(doubt);
        if is_news {
            match self.maintenance.note_clock(record).await {
                Ok(()) => self.known.lock().unwrap_or_else(PoisonError::into_inner).noted = Some(record),
                Err(MaintenanceError::Stopping) => {}
                Err(error) => tracing::warn!(%error, "what the clock says was not noted"),
            }
        }
        doubt.map_or(Ok(now), Err)
    }

    fn tell(&self, doubt: Option<Implausible>) {
        let before = self.doubt.send_replace(doubt);
        match (before, doubt) {
            (None, Some(doubt)) => tracing::error!("{doubt}"),
            (Some(_), None) => tracing::info!("the clock is believed again"),
            _ => {}
        }
    }
}

/// What is known when the clock says `now`.
fn observed(record: ClockRecord, now: Micros) -> ClockRecord {
    let goes_on = |from: Micros| now.abs_diff(from) <= JUMP.unsigned_abs();
    if goes_on(record.believed_at) {
        return ClockRecord { believed_at: now, doubted: None };
    }
    match record.doubted {
        Some((since, at)) if goes_on(at) && now.saturating_sub(since) >= CONFIRMED => {
            ClockRecord { believed_at: now, doubted: None }
        }
        Some((since, at)) if goes_on(at) => ClockRecord { doubted: Some((since.min(now), now)), ..record },
        _ => ClockRecord { doubted: Some((now, now)), ..record },
    }
}

/// Whether the database should be told.
fn is_news(noted: ClockRecord, record: ClockRecord) -> bool {
    let moved = |one: Micros, other: Micros| one.abs_diff(other) >= NOTED.unsigned_abs();
    match (noted.doubted, record.doubted) {
        (None, None) => moved(noted.believed_at, record.believed_at),
        (Some((since, at)), Some((now_since, now_at))) => since != now_since || moved(at, now_at),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Micros = 3_600 * SECOND;
    const TODAY: Micros = 20_000 * DAY;

    /// What is believed after the clock has said all this.
    fn after(said: impl IntoIterator<Item = Micros>) -> ClockRecord {
        said.into_iter().fold(ClockRecord { believed_at: TODAY, doubted: None }, observed)
    }

    #[test]
    fn a_clock_that_goes_on_is_believed() {
        let nights = (0..400).map(|day| TODAY + day * DAY);
        assert_eq!(after(nights), ClockRecord { believed_at: TODAY + 399 * DAY, doubted: None });
        assert_eq!(after([TODAY - HOUR]).doubted, None, "a small step back is none to speak of");
    }

    #[test]
    fn a_clock_that_was_wrong_for_a_while_is_doubted_only_so_long() {
        for wrong in [TODAY + 400 * DAY, TODAY + 2 * DAY, TODAY - 400 * DAY, 0] {
            let doubted = after([TODAY + HOUR, wrong, wrong + 60 * SECOND]);
            assert_eq!(doubted, ClockRecord { believed_at: TODAY + HOUR, doubted: Some((wrong, wrong + 60 * SECOND)) });
            assert_eq!(observed(doubted, TODAY + 2 * HOUR).doubted, None);
        }
    }

    #[test]
    fn a_time_that_is_told_for_days_is_believed() {
        let month = TODAY + 30 * DAY;
        let hours = |count: i64| (0..count).map(move |hour| month + hour * HOUR);
        assert!(after(hours(72)).doubted.is_some());
        assert_eq!(after(hours(73)), ClockRecord { believed_at: month + 72 * HOUR, doubted: None });
        // Another jump begins the days anew.
        let jumps = hours(70).chain([month + 40 * DAY]).chain((70..80).map(|hour| month + hour * HOUR));
        assert!(after(jumps).doubted.is_some());
        // So it is with a clock that was believed while it was ahead, and was set right.
        assert!(after((0..80).map(|hour| TODAY - 300 * DAY + hour * HOUR)).doubted.is_none());
    }

    #[test]
    fn the_database_is_told_now_and_then() {
        let believed = |at: Micros| ClockRecord { believed_at: at, doubted: None };
        assert!(
            !is_news(believed(TODAY), believed(TODAY + HOUR - 1)) && is_news(believed(TODAY), believed(TODAY + HOUR))
        );
        let doubted = |at: Micros| ClockRecord { believed_at: 0, doubted: Some((TODAY, at)) };
        assert!(is_news(believed(0), doubted(TODAY)) && is_news(doubted(TODAY), believed(0)));
        assert!(!is_news(doubted(TODAY), doubted(TODAY + 1)) && is_news(doubted(TODAY), doubted(TODAY + HOUR)));
    }
}

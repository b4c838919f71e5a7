//! Which hours have stale buckets that wait to be refreshed, and when the next of them may be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::ranges::TimeRange;
use crate::time::{self, Micros, SECOND};

const HOUR: Micros = 3_600 * SECOND;
/// What one refresh should take: long enough to be worth its statements, short enough for what waits for it.
const TAKES: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(1));
/// Hours that one refresh takes on at the most: one statement reads as many apart, so that it needs no file of a day between
/// them, which nobody has fetched.
const MOST: usize = super::ranges::MOST;
/// How long a day rests that could not be refreshed, because its file is out of reach.
const RETRY: Duration = Duration::from_secs(10);

/// The hours of one table. In memory all that the database has marked, and perhaps more.
#[derive(Debug)]
pub struct Pending {
    hours: BTreeSet<Micros>,
    /// Of them, those that were marked since the refresh that is under way began: it may not have seen it.
    since: BTreeSet<Micros>,
    /// Days that could not be refreshed, and when to try again.
    resting: BTreeMap<Micros, Instant>,
    /// How many hours the next refresh takes on.
    count: usize,
    /// It begins no earlier: most of the time is for others.
    due: Instant,
}

impl Pending {
    /// Those hours.
    pub fn new(hours: BTreeSet<Micros>) -> Self {
        let (since, resting) = (BTreeSet::new(), BTreeMap::new());
        Self { hours, since, resting, count: 1, due: Instant::now() }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.hours.is_empty()
    }

    /// How many hours wait.
    pub fn len(&self) -> usize {
        self.hours.len()
    }

    /// More has been marked.
    pub fn add(&mut self, hours: &BTreeSet<Micros>) {
        self.hours.extend(hours);
        self.since.extend(hours);
    }

    /// When the next refresh is due.
    pub fn due(&self) -> Option<Instant> {
        if self.hours.is_empty() {
            return None;
        }
        let rested = match self.next(Instant::now()) {
            Some(_) => self.due,
            None => self.resting.values().min().copied().unwrap_or(self.due),
        };
        Some(rested.max(self.due))
    }

    /// What to refresh next: as many hours as are worth it, of days that do not rest. No other hour in between waits.
    pub fn next(&self, now: Instant) -> Option<TimeRange> {
        let rests = |hour: &Micros| self.resting.get(&time::day_start(*hour)).is_some_and(|until| *until > now);
        let mut ready = self.hours.iter().copied().skip_while(rests).take_while(|hour| !rests(hour)).take(self.count);
        let first = ready.next()?;
        Some((first, ready.last().unwrap_or(first).saturating_add(HOUR)))
    }

    /// The hours of a time range that wait.
    pub fn within(&self, (from, until): TimeRange) -> impl Iterator<Item = Micros> {
        self.hours.range(from..until).copied()
    }

    /// A refresh begins.
    pub fn begun(&mut self) {
        self.since.clear();
    }

    /// The refresh of a time range is committed.
    pub fn done(&mut self, (from, until): TimeRange, took: Duration) {
        self.hours.retain(|hour| !(from..until).contains(hour));
        self.hours.append(&mut self.since);
        self.resting.retain(|day, _| !(time::day_start(from)..until).contains(day));
        if took < TAKES.0 {
            self.count = (self.count * 2).min(MOST);
        } else if took > TAKES.1 {
            self.count = (self.count / 2).max(1);
        }
        self.due = Instant::now() + 2 * took;
    }

    /// It was not: its days rest, and then are tried one after the other. Says whether that is new.
    pub fn failed(&mut self, range: TimeRange) -> bool {
        let days: BTreeSet<_> = self.within(range).map(time::day_start).collect();
        let known = self.resting.len();
        self.resting.extend(days.into_iter().map(|day| (day, Instant::now() + RETRY)));
        self.count = 1;
        self.resting.len() > known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(hours: &[Micros]) -> Pending {
        Pending::new(hours.iter().map(|hour| hour * HOUR).collect())
    }

    #[test]
    fn a_refresh_takes_some_hours_and_forgets_none_that_came_meanwhile() {
        let mut pending = pending(&[-3, -1, 2, 5, 30]);
        assert_eq!(pending.next(Instant::now()), Some((-3 * HOUR, -2 * HOUR)));
        pending.count = 2;
        assert_eq!(pending.next(Instant::now()), Some((-3 * HOUR, 0)));
        pending.begun();
        pending.add(&BTreeSet::from([-HOUR, 7 * HOUR]));
        pending.done((-3 * HOUR, 0), Duration::ZERO);
        assert_eq!(pending.len(), 5);
        assert!(pending.within((0, 8 * HOUR)).eq([2 * HOUR, 5 * HOUR, 7 * HOUR]));
        pending.begun();
        assert_eq!(pending.next(Instant::now()), Some((-HOUR, 8 * HOUR)));
        pending.done((-HOUR, 8 * HOUR), Duration::ZERO);
        pending.done((30 * HOUR, 31 * HOUR), Duration::ZERO);
        assert!(pending.is_empty() && pending.due().is_none());
    }

    #[test]
    fn a_day_that_is_out_of_reach_does_not_hold_up_others() {
        let mut pending = pending(&[1, 30, 60]);
        pending.count = MOST;
        assert!(pending.failed((HOUR, 31 * HOUR)) && !pending.failed((HOUR, 31 * HOUR)));
        assert_eq!(pending.next(Instant::now()), Some((60 * HOUR, 61 * HOUR)));
        pending.done((60 * HOUR, 61 * HOUR), Duration::ZERO);
        assert_eq!(pending.next(Instant::now()), None);
        assert!(pending.due() > Some(Instant::now()));
        pending.count = 1;
        assert_eq!(pending.next(Instant::now() + RETRY), Some((HOUR, 2 * HOUR)), "one after the other");
    }
}

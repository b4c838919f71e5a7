//! Between which instants roll-ups and the archive of each table reach, for questions, which would otherwise have to ask the
//! database first.
//!
//! A question has to know it as of its own transaction. What is known of the past is enough for that: up to where buckets are
//! made grows, and is told after the commit, so that a question takes what was told before its transaction began. From
//! where on they are kept, and which days are archived, is told before the commit, so that a question takes what is told
//! after its transaction has begun. That buckets end earlier is told before the commit as well, and a question whose
//! transaction began while it was told begins once more.
//!
//! Whether some of them are stale is told in the same two ways, by two counts: buckets are marked before the commit that marks
//! them, and refreshed after the one that refreshes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::reach::BEGINNING;
use super::{FINEST, LEVELS, Level, Reach};
use crate::tables::{TABLES, Table};
use crate::time::{self, Micros};

/// The bounds of every table. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    tables: Arc<[TableBounds; TABLES.len()]>,
}

/// Up to where the buckets of every table are made, and which marks of stale ones are gone, as it was told at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    tables: [Micros; TABLES.len()],
    refreshed: [u64; TABLES.len()],
}

/// How far one level of a table's roll-ups reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rolled {
    /// The level.
    pub level: Level,
    /// The first bucket that it holds.
    pub from: Micros,
    /// The end of its last bucket, exclusive.
    pub until: Micros,
}

#[derive(Debug)]
struct TableBounds {
    made: AtomicI64,
    /// Where each level begins.
    from: [AtomicI64; LEVELS.len()],
    archived: AtomicI64,
    /// How often buckets were marked as stale, and how many of these marks have been worked off.
    marked: AtomicU64,
    refreshed: AtomicU64,
}

impl Default for TableBounds {
    fn default() -> Self {
        let beginning = || AtomicI64::new(BEGINNING);
        let (marked, refreshed) = (AtomicU64::new(0), AtomicU64::new(0));
        let from = [beginning(), beginning(), beginning()];
        Self { made: beginning(), from, archived: beginning(), marked, refreshed }
    }
}

impl Made {
    /// Up to where the buckets of a table are made.
    pub fn until(&self, table: &Table) -> Micros {
        place(table).and_then(|place| self.tables.get(place)).copied().unwrap_or(BEGINNING)
    }
}

impl Bounds {
    /// What the database says of a table, at the start. `archived` is the end of the last archived day.
    pub(in crate::store) fn begin(&self, table: &Table, reach: &Reach, archived: Option<Micros>) {
        self.made_until(table, reach.of(FINEST).1);
        for level in LEVELS {
            self.kept_from(table, level, reach.of(level).0);
        }
        self.archived_until(table, archived.unwrap_or(BEGINNING));
    }

    /// Buckets are made up to an instant, and the transaction is committed.
    pub(in crate::store) fn made_until(&self, table: &Table, until: Micros) {
        self.of(table, |bounds| bounds.made.fetch_max(until, Ordering::AcqRel));
    }

    /// Buckets from an instant on are about to be given up.
    pub(in crate::store) fn made_only_until(&self, table: &Table, until: Micros) {
        self.of(table, |bounds| bounds.made.fetch_min(until, Ordering::AcqRel));
    }

    /// Buckets are about to be marked as stale.
    pub(in crate::store) fn mark(&self, table: &Table) {
        if let Some(bounds) = self.find(table) {
            bounds.marked.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// No bucket is marked any more, and the transaction is committed. To be told by the thread that marks.
    pub(in crate::store) fn refreshed(&self, table: &Table) {
        if let Some(bounds) = self.find(table) {
            bounds.refreshed.store(bounds.marked.load(Ordering::Acquire), Ordering::Release);
        }
    }

    /// Whether buckets may be stale that a question sees whose transaction began after `made` was told: to be asked after it
    /// has begun.
    pub(in crate::store) fn may_be_stale(&self, table: &Table, made: &Made) -> bool {
        let refreshed = place(table).and_then(|place| made.refreshed.get(place)).copied();
        self.find(table).map(|bounds| bounds.marked.load(Ordering::Acquire)) != refreshed
    }

    /// Whether marks have been told that are not worked off.
    pub(in crate::store) fn is_marked(&self, table: &Table) -> bool {
        self.may_be_stale(table, &self.made())
    }

    /// Buckets of a level before an instant are about to be dropped.
    pub(in crate::store) fn kept_from(&self, table: &Table, level: Level, from: Micros) {
        let place = LEVELS.iter().position(|known| *known == level);
        let bound = |bounds: &TableBounds| {
            let bound = place.and_then(|place| bounds.from.get(place));
            bound.map_or(0, |bound| bound.fetch_max(from, Ordering::AcqRel))
        };
        self.of(table, bound);
    }

    /// A day that ends at an instant is about to be archived.
    pub(in crate::store) fn archived_until(&self, table: &Table, until: Micros) {
        self.of(table, |bounds| bounds.archived.fetch_max(until, Ordering::AcqRel));
    }

    /// Up to where buckets are made: to be asked before a transaction begins.
    pub fn made(&self) -> Made {
        let made = |bounds: &TableBounds| bounds.made.load(Ordering::Acquire);
        let refreshed = |bounds: &TableBounds| bounds.refreshed.load(Ordering::Acquire);
        Made {
            tables: std::array::from_fn(|place| self.tables.get(place).map_or(BEGINNING, made)),
            refreshed: std::array::from_fn(|place| self.tables.get(place).map_or(0, refreshed)),
        }
    }

    /// The levels of a table's roll-ups that hold anything, coarsest first: to be asked after a transaction has begun.
    pub(in crate::store) fn rolled(&self, table: &Table, made: &Made) -> Vec<Rolled> {
        let made = made.until(table);
        let rolled = |(place, level): (usize, &Level)| {
            let from =
                |bounds: &TableBounds| bounds.from.get(place).map_or(Micros::MAX, |from| from.load(Ordering::Acquire));
            Rolled { level: *level, from: self.of(table, from), until: time::floor(made, level.width()) }
        };
        let levels = LEVELS.iter().enumerate().rev().map(rolled);
        levels.filter(|rolled| rolled.from < rolled.until).collect()
    }

    /// From here on no day of a table is archived: to be asked after a transaction has begun.
    pub(in crate::store) fn archive_end(&self, table: &Table) -> Micros {
        self.of(table, |bounds| bounds.archived.load(Ordering::Acquire))
    }

    /// Whether any day of a table has been archived.
    pub(in crate::store) fn has_archive(&self, table: &Table) -> bool {
        self.archive_end(table) > BEGINNING
    }

    fn of(&self, table: &Table, bound: impl FnOnce(&TableBounds) -> Micros) -> Micros {
        // Every table is among them.
        self.find(table).map_or(Micros::MAX, bound)
    }

    fn find(&self, table: &Table) -> Option<&TableBounds> {
        place(table).and_then(|place| self.tables.get(place))
    }
}

fn place(table: &Table) -> Option<usize> {
    TABLES.into_iter().position(|known| std::ptr::eq(known, table))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{MARKET_DATA, TRADES};
    use crate::time::SECOND;

    #[test]
    fn a_question_takes_what_was_made_before_it_and_what_is_dropped_since() {
        let bounds = Bounds::default();
        assert_eq!(bounds.rolled(&MARKET_DATA, &bounds.made()), []);
        bounds.made_until(&MARKET_DATA, 420 * SECOND);
        let made = bounds.made();
        bounds.made_until(&MARKET_DATA, 7_200 * SECOND);
        bounds.kept_from(&MARKET_DATA, Level::Minute1, 60 * SECOND);
        let rolled = |level, from, until| Rolled { level, from, until: until * SECOND };
        let finest = rolled(Level::Minute1, 60 * SECOND, 420);
        assert_eq!(
            bounds.rolled(&MARKET_DATA, &made),
            [rolled(Level::Hour1, BEGINNING, 0), rolled(Level::Minute5, BEGINNING, 300), finest]
        );
        bounds.kept_from(&MARKET_DATA, Level::Minute1, 480 * SECOND);
        assert_eq!(bounds.rolled(&MARKET_DATA, &made).len(), 2, "there is none left of before");
        assert_eq!(bounds.rolled(&TRADES, &made), []);
        assert_eq!(bounds.archive_end(&MARKET_DATA), BEGINNING);
        bounds.made_only_until(&MARKET_DATA, 60 * SECOND);
        assert_eq!(bounds.made().until(&MARKET_DATA), 60 * SECOND, "what was in the future is given up");
    }

    #[test]
    fn a_question_looks_for_stale_buckets_whenever_its_transaction_may_see_some() {
        let bounds = Bounds::default();
        let before = bounds.made();
        assert!(!bounds.may_be_stale(&MARKET_DATA, &before));
        bounds.mark(&MARKET_DATA);
        assert!(bounds.may_be_stale(&MARKET_DATA, &before), "they are marked before the commit");
        let while_marked = bounds.made();
        bounds.refreshed(&MARKET_DATA);
        assert!(bounds.may_be_stale(&MARKET_DATA, &before), "its transaction began between the two");
        assert!(bounds.may_be_stale(&MARKET_DATA, &while_marked), "its transaction may be older than the refresh");
        assert!(!bounds.may_be_stale(&MARKET_DATA, &bounds.made()));
        assert!(!bounds.may_be_stale(&TRADES, &while_marked));
    }
}

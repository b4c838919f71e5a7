//! The last value of each series of a service, from which increments are told.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::time::Micros;

/// Series whose last values are kept.
const MOST: usize = 200_000;
/// Series of which it is remembered that they were there, in each of two generations.
const MOST_GONE: usize = 100_000;

/// What a series was before the value that has come now.
#[derive(Debug, PartialEq)]
pub(super) enum Before<V> {
    /// Its last value.
    Value(V),
    /// It was not there when the service was asked before, so it has begun at zero since then.
    Nothing,
    /// Nobody knows: the service was asked for the first time, or the series was gone for long.
    Unknown,
}

/// The last values of one service.
#[derive(Debug)]
pub(super) struct LastValues<V> {
    last: HashMap<String, (V, Micros)>,
    primed: bool,
    gone: Gone,
    most: usize,
    /// A scrape that has all the series there is room for.
    full: Option<Micros>,
}

impl<V> Default for LastValues<V> {
    fn default() -> Self {
        Self { last: HashMap::new(), primed: false, gone: Gone::default(), most: MOST, full: None }
    }
}

impl<V: Copy> LastValues<V> {
    /// Takes the value that the scrape of `now` has for a series.
    pub(super) fn replace(&mut self, series: String, value: V, now: Micros) -> Before<V> {
        if let Some(last) = self.last.get_mut(&series) {
            return Before::Value(std::mem::replace(last, (value, now)).0);
        }
        let before = if !self.primed || self.gone.forget(&series) { Before::Unknown } else { Before::Nothing };
        if self.last.len() >= self.most && self.full != Some(now) {
            self.make_room(now);
        }
        if self.last.len() < self.most {
            self.last.insert(series, (value, now));
        } else {
            // Without its last value nothing can be told of it the next time.
            self.gone.remember(&series);
        }
        before
    }

    /// A scrape is through: series that appear from now on are new. Those that no scrape has had since `since` go, and
    /// when one of them comes back, what it has gained meanwhile is not known.
    pub(super) fn finish_scrape(&mut self, since: Micros) {
        self.primed = true;
        self.forget(|seen| seen < since);
    }

    /// Forgets the older half of the series that this scrape has not spoken of.
    fn make_room(&mut self, now: Micros) {
        let mut others: Vec<Micros> = self.last.values().map(|(_, seen)| *seen).filter(|seen| *seen != now).collect();
        if others.is_empty() {
            self.full = Some(now);
            return;
        }
        let middle = others.len() / 2;
        let since = *others.select_nth_unstable(middle).1;
        self.forget(|seen| seen != now && seen <= since);
    }

    fn forget(&mut self, is_old: impl Fn(Micros) -> bool) {
        let gone = &mut self.gone;
        self.last.retain(|series, (_, seen)| {
            let stays = !is_old(*seen);
            if !stays {
                gone.remember(series);
            }
            stays
        });
    }
}

/// Series that were there once, by their hashes: eight bytes each. One that comes back after as many others have gone as
/// are remembered is taken for new.
#[derive(Debug, Default)]
struct Gone {
    hasher: RandomState,
    recent: HashSet<u64>,
    older: HashSet<u64>,
}

impl Gone {
    fn remember(&mut self, series: &str) {
        if self.recent.len() >= MOST_GONE {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(self.hasher.hash_one(series));
    }

    /// Whether the series is remembered, which it is no longer.
    fn forget(&mut self, series: &str) -> bool {
        let hash = self.hasher.hash_one(series);
        let recent = self.recent.remove(&hash);
        self.older.remove(&hash) || recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_that_was_gone_for_long_is_not_taken_for_new() {
        let mut values = LastValues::default();
        assert_eq!(values.replace("a".into(), 1.0, 1), Before::Unknown);
        values.finish_scrape(0);
        assert_eq!(values.replace("b".into(), 2.0, 2), Before::Nothing);
        values.finish_scrape(2);
        assert_eq!(values.replace("a".into(), 9.0, 3), Before::Unknown);
        assert_eq!(values.replace("a".into(), 10.0, 3), Before::Value(9.0));
        assert_eq!(values.replace("b".into(), 3.0, 3), Before::Value(2.0));
    }

    #[test]
    fn series_that_come_and_go_take_bounded_memory() {
        let mut values = LastValues { most: 100, ..LastValues::default() };
        for scrape in 0..300 {
            for series in 0..10 {
                values.replace(format!("{scrape}-{series}"), 1.0, scrape);
            }
            values.replace("steady".into(), scrape as f64, scrape);
            values.finish_scrape(0);
            assert!(values.last.len() <= 100);
        }
        assert_eq!(values.replace("steady".into(), 0.0, 300), Before::Value(299.0));
        // More at once than are kept: the others are of no use, now or the next time.
        for series in 0..200 {
            values.replace(format!("many-{series}"), 1.0, 301);
        }
        assert_eq!(values.last.len(), 100);
        assert_eq!(values.replace("many-199".into(), 2.0, 302), Before::Unknown);
    }

    #[test]
    fn the_memory_of_what_is_gone_is_bounded() {
        let mut gone = Gone::default();
        (0..3 * MOST_GONE).for_each(|series| gone.remember(&series.to_string()));
        assert!(gone.recent.len() + gone.older.len() <= 2 * MOST_GONE);
        assert!(gone.forget(&(3 * MOST_GONE - 1).to_string()) && !gone.forget(&(3 * MOST_GONE - 1).to_string()));
    }
}

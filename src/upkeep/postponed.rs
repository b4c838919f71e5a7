//! Files of a bucket that may have replaced rows and wait for their turn. Turns become rare while there are many: nearly all
//! files have none, and each is fetched.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::Sought;
use crate::tables::{TABLES, Table};
use crate::time::Micros;

/// Time to the first turn, and the longest between two.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// Keys that are held; a file that comes with more is looked for all of its rows.
const MOST_KEYS: usize = 50_000;

/// Days whose files wait, each once.
#[derive(Default)]
pub(super) struct PostponedFiles {
    days: BTreeMap<(&'static str, Micros), Sought>,
    keys: usize,
    due: Option<Instant>,
    pause: Duration,
    /// Where the last turn ended.
    last: Option<(&'static str, Micros)>,
}

impl PostponedFiles {
    /// The file of a day waits; one that waits already, for all of its rows from here on.
    pub fn add(&mut self, table: &'static Table, day: Micros, sought: Sought) {
        let place = (table.name, day);
        let count = count(&sought);
        let known = self.days.remove(&place);
        self.keys -= known.as_ref().map_or(0, self::count);
        let fits = known.is_none() && self.keys + count <= MOST_KEYS;
        self.keys += if fits { count } else { 0 };
        self.days.insert(place, if fits { sought } else { Sought::All });
        if self.due.is_none() {
            self.pause = PAUSE.0;
            self.due = Some(Instant::now() + self.pause);
        }
    }

    /// When it is the turn of some; `None` while there are none.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether none wait.
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// The tables of which some wait.
    pub fn tables(&self) -> Vec<&'static Table> {
        TABLES.into_iter().filter(|table| self.days.keys().any(|(name, _)| *name == table.name)).collect()
    }

    /// Some of them, newest first, and after the oldest the newest again.
    pub fn take(&mut self, most: usize) -> Vec<(&'static Table, Micros, Sought)> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let before = self.last.and_then(|last| self.days.range(..last).next_back());
            let Some(place) = before.or_else(|| self.days.last_key_value()).map(|(place, _)| *place) else { break };
            self.last = Some(place);
            let Some(sought) = self.days.remove(&place) else { break };
            self.keys -= count(&sought);
            let table = TABLES.into_iter().find(|table| table.name == place.0);
            taken.extend(table.map(|table| (table, place.1, sought)));
        }
        self.pause = (self.pause * 2).min(PAUSE.1);
        self.due = (!self.days.is_empty()).then(|| Instant::now() + self.pause);
        taken
    }
}

fn count(sought: &Sought) -> usize {
    match sought {
        Sought::All => 0,
        Sought::Keys(keys) => keys.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::TRADES;

    #[test]
    fn each_day_has_its_turn_newest_first() {
        let mut postponed = PostponedFiles::default();
        let keys = |count: usize| Sought::Keys(vec!["a".to_owned(); count]);
        for day in [1, 3, 2] {
            postponed.add(&TRADES, day, keys(1));
        }
        postponed.add(&TRADES, 2, keys(1));
        postponed.add(&TRADES, 4, keys(MOST_KEYS));
        let days = |taken: Vec<(&Table, Micros, Sought)>| {
            taken.into_iter().map(|(_, day, sought)| (day, count(&sought))).collect::<Vec<_>>()
        };
        assert_eq!(days(postponed.take(2)), [(4, 0), (3, 1)]);
        postponed.add(&TRADES, 4, keys(1));
        assert_eq!(days(postponed.take(3)), [(2, 0), (1, 1), (4, 1)]);
        assert!(postponed.is_empty() && postponed.due().is_none() && postponed.keys == 0);
    }
}

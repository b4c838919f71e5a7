//! The order in which writes are stored that clients wait for.
//!
//! None of them knows of the others, so they may overtake each other. Small ones do, since they are soon done; and since each
//! has a time at which it is due, later by a little for each of its rows, no stream of small ones holds up a larger one for
//! longer than that.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::batch::Write;

/// Writes that are put in order. More wait in the channel.
const MOST: usize = 1_024;
/// How much later a write is due for each of its rows: several times what it takes to store one.
const EACH_ROW: Duration = Duration::from_micros(10);

/// When a write is due, and the how manieth it was.
type Due = (Instant, u64);

/// Writes that somebody waits for.
#[derive(Default)]
pub struct Queue {
    by_due: BTreeMap<Due, Write>,
    /// Those that cannot be stored while a certain large one is.
    set_aside: BTreeMap<Due, Write>,
    /// Those that are stored one by one, beside the others.
    large: VecDeque<Write>,
    number: u64,
}

impl Queue {
    /// Whether it should take no more for now.
    pub fn is_full(&self) -> bool {
        self.by_due.len() + self.set_aside.len() + self.large.len() >= MOST
    }

    /// Whether there is a write that is stored together with others.
    pub fn has_small(&self) -> bool {
        !self.by_due.is_empty()
    }

    /// Whether there is a write that is stored beside the others.
    pub fn has_large(&self) -> bool {
        !self.large.is_empty()
    }

    /// A write that arrived just `now` is stored together with others.
    pub fn push(&mut self, write: Write, now: Instant) {
        self.number += 1;
        let rows = u32::try_from(write.rows()).unwrap_or(u32::MAX);
        self.by_due.insert((now + EACH_ROW * rows, self.number), write);
    }

    /// A write is stored beside the others.
    pub fn push_large(&mut self, write: Write) {
        self.large.push_back(write);
    }

    /// The write that is due first, if `is_wanted`; those that are `in_the_way` of what is stored beside them wait until it is.
    pub fn next_if(
        &mut self,
        in_the_way: impl Fn(&Write) -> bool,
        is_wanted: impl FnOnce(&Write) -> bool,
    ) -> Option<Write> {
        while let Some(first) = self.by_due.first_entry() {
            if in_the_way(first.get()) {
                let (due, write) = first.remove_entry();
                self.set_aside.insert(due, write);
            } else {
                return is_wanted(first.get()).then(|| first.remove());
            }
        }
        None
    }

    /// The large write that has waited longest.
    pub fn next_large(&mut self) -> Option<Write> {
        self.large.pop_front()
    }

    /// Nothing is in the way any more of what was set aside.
    pub fn release(&mut self) {
        self.by_due.append(&mut self.set_aside);
    }

    /// Everything.
    pub fn take_all(&mut self) -> impl Iterator<Item = Write> + use<> {
        self.release();
        std::mem::take(&mut self.by_due).into_values().chain(std::mem::take(&mut self.large))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::channel;
    use crate::tables::{MARKET_DATA, MarketDataRow};

    /// A write of so many rows.
    fn write(rows: i64) -> Write {
        let row = |timestamp| MarketDataRow {
            timestamp,
            symbol: "A".into(),
            last_price: None,
            bid: None,
            ask: None,
            volume: None,
            trades: None,
            spread_bps: None,
        };
        let rows: Vec<_> = (0..rows).map(row).collect();
        let (sender, mut receiver) = channel(64 << 20);
        drop(sender.submit(&MARKET_DATA, vec![MarketDataRow::batch(&rows).unwrap()]).unwrap());
        receiver.try_recv().unwrap()
    }

    fn sizes(queue: &mut Queue) -> Vec<usize> {
        std::iter::from_fn(|| queue.next_if(|_| false, |_| true)).map(|write| write.rows()).collect()
    }

    #[test]
    fn small_writes_overtake_large_ones_and_not_each_other() {
        let (mut queue, began) = (Queue::default(), Instant::now());
        for (milliseconds, rows) in [(0, 5_000), (1, 3), (2, 1_000), (3, 2), (4, 3)] {
            queue.push(write(rows), began + Duration::from_millis(milliseconds));
        }
        assert_eq!(sizes(&mut queue), [3, 2, 3, 1_000, 5_000]);
    }

    #[test]
    fn a_large_write_is_not_overtaken_for_longer_than_its_rows_are_worth() {
        let (mut queue, began) = (Queue::default(), Instant::now());
        queue.push(write(1_000), began);
        queue.push(write(2), began + EACH_ROW * 1_000);
        assert_eq!(sizes(&mut queue), [1_000, 2]);
    }

    #[test]
    fn what_is_in_the_way_waits_until_it_is_released_and_then_has_its_place() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for rows in [2, 3, 4] {
            queue.push(write(rows), now);
        }
        let next = queue.next_if(|write| write.rows() == 2, |_| true).unwrap();
        assert_eq!(next.rows(), 3);
        queue.release();
        assert_eq!(sizes(&mut queue), [2, 4]);
    }
}

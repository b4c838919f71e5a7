//! What may be stored after clients have written the same keys at the same time: what some order of their writes leaves
//! behind, in which none comes before one that was answered before it was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A write tells by its number, which is in each of its rows; 0 is no row.
pub type Number = u32;

/// A write that was stored, or perhaps was.
#[derive(Debug)]
pub struct Write {
    pub number: Number,
    pub keys: Range<usize>,
    /// When, by a clock that all clients share.
    pub sent: u64,
    /// `None` where nothing came back.
    pub answered: Option<u64>,
}

/// The keys of one table, and what was written since they were looked at.
pub struct Ledger {
    pub stored: Vec<Number>,
    pub writes: Vec<Write>,
}

impl Ledger {
    pub fn new(keys: usize) -> Self {
        Self { stored: vec![0; keys], writes: Vec::new() }
    }

    /// Compares with what is stored under each key, and holds on to it. Says what is wrong.
    pub fn compare(&mut self, stored: Vec<Number>) -> Result<(), String> {
        let seen: BTreeSet<Number> = stored.iter().copied().collect();
        let landed = |write: &Write| write.answered.is_some() || seen.contains(&write.number);
        let landed: Vec<Write> = std::mem::take(&mut self.writes).into_iter().filter(landed).collect();
        let places: BTreeMap<Number, usize> = landed.iter().map(|write| write.number).zip(0..).collect();
        let mut expected = std::mem::take(&mut self.stored);
        let mut later = vec![BTreeSet::new(); landed.len()];
        for (place, write) in landed.iter().enumerate() {
            for key in write.keys.clone() {
                let last = stored[key];
                let winner = places.get(&last).copied().filter(|winner| landed[*winner].keys.contains(&key));
                let winner = winner.ok_or_else(|| format!("key {key} is of {last}, and not of {write:?}"))?;
                expected[key] = last;
                if winner != place {
                    later[place].insert(winner);
                }
            }
            let answered = write.answered.unwrap_or(u64::MAX);
            later[place].extend((0..landed.len()).filter(|other| landed[*other].sent > answered));
        }
        if let Some(key) = expected.iter().zip(&stored).position(|(expected, stored)| expected != stored) {
            return Err(format!("key {key} was {} and is {}, and nobody wrote it", expected[key], stored[key]));
        }
        let left: Vec<_> = without_order(later).into_iter().map(|place| &landed[place]).collect();
        if !left.is_empty() {
            return Err(format!("no order of these writes leaves what is stored: {left:?}"));
        }
        self.stored = stored;
        Ok(())
    }
}

/// Those that cannot be put in an order in which each comes before all that are `later`.
fn without_order(later: Vec<BTreeSet<usize>>) -> BTreeSet<usize> {
    let mut earlier = vec![0; later.len()];
    later.iter().flatten().for_each(|place| earlier[*place] += 1);
    let mut left: BTreeSet<usize> = (0..later.len()).collect();
    let mut next: Vec<usize> = left.iter().copied().filter(|place| earlier[*place] == 0).collect();
    while let Some(place) = next.pop() {
        left.remove(&place);
        for place in &later[place] {
            earlier[*place] -= 1;
            if earlier[*place] == 0 {
                next.push(*place);
            }
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(writes: &[(Range<usize>, u64, Option<u64>)], stored: &[Number]) -> bool {
        let mut ledger = Ledger::new(stored.len());
        let numbered = writes.iter().cloned().zip(1..);
        ledger.writes =
            numbered.map(|((keys, sent, answered), number)| Write { number, keys, sent, answered }).collect();
        ledger.compare(stored.to_vec()).is_ok()
    }

    #[test]
    fn what_one_after_the_other_leaves_is_taken_and_nothing_else() {
        let beside = [(0..3, 1, Some(3)), (1..4, 2, Some(4))];
        assert!(compare(&beside, &[1, 2, 2, 2]) && compare(&beside, &[1, 1, 1, 2]));
        assert!(!compare(&beside, &[1, 1, 2, 2]), "neither is the last");
        assert!(!compare(&beside, &[0, 2, 2, 2]), "a row is lost");
        assert!(!compare(&beside, &[1, 2, 2, 1]), "a key that it does not have");
        let one_by_one = [(0..3, 1, Some(2)), (1..4, 3, Some(4))];
        assert!(compare(&one_by_one, &[1, 2, 2, 2]) && !compare(&one_by_one, &[1, 1, 1, 2]));
        let unanswered = [(0..3, 1, Some(2)), (1..4, 3, None)];
        assert!(compare(&unanswered, &[1, 1, 1, 0]) && compare(&unanswered, &[1, 2, 2, 2]));
        assert!(!compare(&unanswered, &[1, 1, 1, 2]), "half of it");
    }
}

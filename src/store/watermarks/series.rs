//! What is known of one series: its watermark, and gaps below it in which no row is stored.

use crate::time::Micros;

/// Gaps that are remembered of a series, the last ones: as many batches may overtake one.
const GAPS: usize = 32;

/// Bounds, exclusive, between which no row is stored.
type Gap = (Micros, Micros);

/// One series. Most of a million series have no gap, so gaps take memory only where there are any.
#[derive(Debug)]
pub struct Series {
    watermark: Micros,
    /// From one row to the next in a batch: a gap of that width is none.
    pace: Micros,
    gaps: Vec<Gap>,
    /// The place of the gap that was made last.
    last: usize,
    /// The last batch that had a row of the series.
    batch: u32,
}

impl Series {
    /// A series without a row above `watermark`; where else it has rows is not known.
    pub fn new(watermark: Micros) -> Self {
        Self { watermark, pace: 0, gaps: Vec::new(), last: 0, batch: 0 }
    }

    /// No row is above this.
    pub fn watermark(&self) -> Micros {
        self.watermark
    }

    /// The last batch that had a row of it.
    pub fn batch(&self) -> u32 {
        self.batch
    }

    /// What it takes on the heap, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.gaps.capacity() * size_of::<Gap>()
    }

    /// Takes a row of `batch` in, if it is sure that no row of its instant is stored; otherwise the row is late.
    pub fn take(&mut self, time: Micros, batch: u32) -> bool {
        let first = self.batch != batch;
        self.batch = batch;
        if time > self.watermark {
            if !first {
                self.pace = time.saturating_sub(self.watermark);
            }
            if first {
                self.leave((self.watermark, time), None);
            }
            self.watermark = time;
            return true;
        }
        let Some(place) = self.gaps.iter().position(|(after, before)| *after < time && time < *before) else {
            return false;
        };
        // Rows mostly come in the order of time: what follows falls above this one.
        if let Some((after, _)) = self.gaps.get_mut(place) {
            let below = std::mem::replace(after, time);
            if first {
                self.leave((below, time), Some(place));
            }
        }
        true
    }

    /// The first row of a batch leaves a gap before it, in the place of the oldest but for the one at `kept`.
    fn leave(&mut self, gap: Gap, kept: Option<usize>) {
        if gap.1.saturating_sub(gap.0) <= self.pace {
            return;
        }
        if self.gaps.len() < GAPS {
            if self.gaps.is_empty() {
                // Of a label that is seen once, this is the only one.
                self.gaps.reserve_exact(1);
            }
            self.last = self.gaps.len();
            self.gaps.push(gap);
            return;
        }
        let next = |place: usize| (place + 1) % GAPS;
        self.last = next(self.last);
        if kept == Some(self.last) {
            self.last = next(self.last);
        }
        if let Some(oldest) = self.gaps.get_mut(self.last) {
            *oldest = gap;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The rows of a series that are stored without looking, of batches of instants.
    fn taken(batches: &[&[Micros]]) -> Vec<Vec<Micros>> {
        let mut series = Series::new(0);
        let mut number = 0;
        let mut of_batch = |batch: &&[Micros]| {
            number += 1;
            batch.iter().copied().filter(|time| series.take(*time, number)).collect()
        };
        batches.iter().map(&mut of_batch).collect()
    }

    #[test]
    fn batches_that_overtake_each_other_are_stored_without_looking() {
        assert_eq!(taken(&[&[5, 6], &[7, 8], &[3, 4], &[1, 2]]), [[5, 6], [7, 8], [3, 4], [1, 2]]);
        assert_eq!(taken(&[&[7, 8], &[3, 4], &[5, 6], &[1, 2]]), [[7, 8], [3, 4], [5, 6], [1, 2]]);
    }

    #[test]
    fn an_instant_that_may_be_stored_is_never_taken_twice() {
        assert_eq!(taken(&[&[3, 4], &[4, 3, 2, 2, 0]]), [vec![3, 4], vec![2]]);
        // Among all orders of a few instants in a few batches.
        let mut state = 1_u64;
        for round in 0..2_000 {
            let mut series = Series::new(0);
            let mut seen = HashSet::from([0]);
            // Now and then more batches than gaps are remembered.
            for batch in 1..=if round % 10 == 0 { 100 } else { 8 } {
                for _ in 0..4 {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let time = i64::try_from(state >> 33).unwrap() % if round % 10 == 0 { 1_000 } else { 24 };
                    let new = seen.insert(time);
                    assert!(!series.take(time, batch) || new, "{time} was stored already");
                }
            }
        }
    }

    #[test]
    fn a_series_without_gaps_takes_no_memory_for_them() {
        let mut series = Series::new(0);
        assert_eq!(series.heap_bytes(), 0);
        assert!(series.take(5, 1));
        assert_eq!(series.heap_bytes(), size_of::<Gap>());
        (2..200).for_each(|batch| assert!(series.take(Micros::from(batch) * 10, batch)));
        assert_eq!(series.heap_bytes(), GAPS * size_of::<Gap>());
    }
}

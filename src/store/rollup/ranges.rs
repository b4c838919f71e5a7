//! Few time ranges in place of many buckets: a statement reads each of them, and nothing that lies between.

use crate::time::{Micros, SECOND};

/// From one instant up to but not including another.
pub type TimeRange = (Micros, Micros);

/// Buckets that are this close are read in one go.
const NEAR: Micros = 600 * SECOND;
/// Time ranges of one statement. Each is a scan that fills groups of its own before they are merged, which takes about half a
/// megabyte in each tier, and some milliseconds to plan.
pub const MOST: usize = 16;

/// Time ranges that hold all buckets of `width` which start at `starts`, ascending. Where there would be too many, those that
/// are nearest to each other become one.
pub fn ranges(starts: impl IntoIterator<Item = Micros>, width: Micros) -> Vec<TimeRange> {
    let mut ranges: Vec<TimeRange> = Vec::new();
    for start in starts {
        let end = start.saturating_add(width);
        match ranges.last_mut() {
            Some((_, until)) if start.saturating_sub(*until) <= NEAR => *until = end.max(*until),
            _ => ranges.push((start, end)),
        }
    }
    join_nearest(ranges)
}

fn join_nearest(ranges: Vec<TimeRange>) -> Vec<TimeRange> {
    let gaps = ranges.iter().zip(ranges.iter().skip(1)).map(|(one, next)| next.0.saturating_sub(one.1));
    let mut widest: Vec<_> = gaps.enumerate().map(|(place, gap)| (gap, place)).collect();
    widest.sort_unstable_by(|one, other| other.cmp(one));
    widest.truncate(MOST - 1);
    let mut joined: Vec<TimeRange> = Vec::with_capacity(MOST);
    for (place, (from, until)) in ranges.into_iter().enumerate() {
        let begins = place == 0 || widest.iter().any(|(_, gap)| gap + 1 == place);
        match joined.last_mut().filter(|_| !begins) {
            Some(last) => last.1 = until,
            None => joined.push((from, until)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::DAY;

    const MINUTE: Micros = 60 * SECOND;

    #[test]
    fn what_lies_between_distant_buckets_is_left_out() {
        assert_eq!(ranges([], MINUTE), []);
        let starts = [-DAY, 0, MINUTE, 12 * MINUTE, DAY];
        assert_eq!(ranges(starts, MINUTE), [(-DAY, MINUTE - DAY), (0, 13 * MINUTE), (DAY, DAY + MINUTE)]);
    }

    #[test]
    fn there_are_never_too_many_and_the_widest_gaps_stay() {
        let starts: Vec<_> = (0..1_000).map(|place| place * DAY + (place / 500) * 100 * DAY).collect();
        let ranges = ranges(starts.iter().copied(), MINUTE);
        assert_eq!(ranges.len(), MOST);
        let is_in = |start: &Micros| ranges.iter().any(|(from, until)| from <= start && start + MINUTE <= *until);
        assert!(starts.iter().all(is_in));
        assert!(!ranges.iter().any(|(from, until)| *from < 550 * DAY && 550 * DAY < *until), "the widest gap stays");
        assert!(ranges.is_sorted() && ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }
}

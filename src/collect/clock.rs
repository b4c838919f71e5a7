//! The timestamp of a round.

use crate::time::{Micros, SECOND};

/// How far the wall clock may go back by itself while it is kept right. A larger step is somebody's correction.
const CORRECTION: Micros = SECOND;

/// Gives each round a timestamp of its own: a repeated one would replace a row. While the wall clock goes back a little,
/// timestamps go on rising; when it is set back, they follow it.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last: Option<Micros>,
}

impl Clock {
    /// The timestamp for a round that begins when the wall clock shows `wall`.
    pub(super) fn stamp(&mut self, wall: Micros) -> Micros {
        let next = self.last.map_or(wall, |last| last.saturating_add(1));
        let stamp = if wall < next.saturating_sub(CORRECTION) { wall } else { wall.max(next) };
        self.last = Some(stamp);
        stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_rise_although_the_clock_goes_back_a_little() {
        let mut clock = Clock::default();
        assert_eq!([500, 700, 700, 300, 900].map(|wall| clock.stamp(wall)), [500, 700, 701, 702, 900]);
    }

    #[test]
    fn stamps_follow_a_clock_that_is_set_back() {
        let mut clock = Clock::default();
        let hour = 3_600 * SECOND;
        assert_eq!([hour, hour + 9, 500, 500, 900].map(|wall| clock.stamp(wall)), [hour, hour + 9, 500, 501, 900]);
    }
}

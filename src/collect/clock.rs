//! The timestamp of a round.

use crate::time::Micros;

/// Gives each round a later timestamp than the round before, even when the wall clock is set back: a repeated
/// timestamp would replace a row.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last: Option<Micros>,
}

impl Clock {
    /// The timestamp for a round that begins when the wall clock shows `wall`.
    pub(super) fn stamp(&mut self, wall: Micros) -> Micros {
        let stamp = self.last.map_or(wall, |last| wall.max(last.saturating_add(1)));
        self.last = Some(stamp);
        stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_rise_although_the_clock_is_set_back() {
        let mut clock = Clock::default();
        assert_eq!([500, 700, 700, 300, 900].map(|wall| clock.stamp(wall)), [500, 700, 701, 702, 900]);
    }
}

//! When the next thing happens.

use crate::time::{Micros, SECOND};

/// Instants of equal distance; each is reckoned from the start, so that no rounding adds up.
pub(super) struct Schedule {
    start: Micros,
    period: f64,
    index: u64,
}

impl Schedule {
    /// `start`, and every `period` microseconds from there.
    pub(super) fn new(start: Micros, period: f64) -> Self {
        Self { start, period, index: 0 }
    }

    /// The instant that comes next.
    pub(super) fn next_due(&self) -> Micros {
        self.start.saturating_add((self.index as f64 * self.period).round() as Micros)
    }

    /// It has come.
    pub(super) fn step(&mut self) {
        self.index += 1;
    }

    /// Leaves out what is due before `instant`; says whether there was any.
    pub(super) fn skip_before(&mut self, instant: Micros) -> bool {
        let behind = self.next_due() < instant;
        if behind {
            self.index = (instant.saturating_sub(self.start) as f64 / self.period).ceil() as u64;
        }
        behind
    }

    /// Begins anew at `instant` when the next one is further from it than any next one can be: the clock was set back.
    pub(super) fn come_back_to(&mut self, instant: Micros) {
        if self.next_due().saturating_sub(instant) as f64 > self.period + 1.0 {
            (self.start, self.index) = (instant, 0);
        }
    }

    /// The distance of two instants, in seconds.
    pub(super) fn period_seconds(&self) -> f64 {
        self.period / SECOND as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_keep_their_distance_and_missed_ones_can_be_left_out() {
        let mut schedule = Schedule::new(100, 1_000_000.0 / 3.0);
        let mut instants = Vec::new();
        for _ in 0..4 {
            instants.push(schedule.next_due());
            schedule.step();
        }
        assert_eq!(instants, [100, 333_433, 666_767, 1_000_100]);
        assert!(schedule.skip_before(5_000_100));
        assert_eq!(schedule.next_due(), 5_000_100);
        assert!(!schedule.skip_before(5_000_100));
    }

    #[test]
    fn a_clock_that_is_set_back_is_followed() {
        let mut schedule = Schedule::new(10 * SECOND, 1_000_000.0);
        schedule.step();
        schedule.come_back_to(10 * SECOND);
        assert_eq!(schedule.next_due(), 11 * SECOND);
        schedule.come_back_to(5 * SECOND);
        assert_eq!(schedule.next_due(), 5 * SECOND);
    }
}

//! From totals that only grow to what was added since last time.

use super::last_values::{Before, LastValues};
use super::source::prometheus::Sample;
use crate::time::Micros;

/// The last value of every counter of one endpoint.
///
/// A value below the last one means that the service has started again, so all of it is new. A counter that an earlier
/// scrape did not have has begun at zero since then. What the counters of the very first scrape held before is
/// unknown, and so is what a counter gained that no scrape has had for long: they add nothing yet.
#[derive(Debug, Default)]
pub(super) struct Counters {
    last: LastValues<f64>,
}

impl Counters {
    /// What the sample's counter has gained since it was last seen, in the scrape of `now`.
    pub(super) fn increment(&mut self, sample: &Sample, now: Micros) -> f64 {
        match self.last.replace(sample.series(), sample.value, now) {
            Before::Value(last) if sample.value >= last => sample.value - last,
            Before::Value(_) | Before::Nothing => sample.value,
            Before::Unknown => 0.0,
        }
    }

    /// A scrape is through: counters that appear from now on are new, and those go that none has had since `since`.
    pub(super) fn finish_scrape(&mut self, since: Micros) {
        self.last.finish_scrape(since);
    }
}

/// A sum of observations and their number.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Mean {
    /// Sum of the observations.
    pub(super) sum: f64,
    /// How many there are.
    pub(super) count: f64,
}

impl Mean {
    /// Adds the observations of another.
    pub(super) fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.count += other.count;
    }

    /// The mean; `None` when there is no observation.
    pub(super) fn value(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

/// The last sum and count of every series of one histogram (or summary).
///
/// Whether the service has started again is told by the count alone: a sum of slippages may well go down.
#[derive(Debug, Default)]
pub(super) struct Distribution {
    last: LastValues<Mean>,
}

impl Distribution {
    /// What the series with these labels has gained since it was last seen, in the scrape of `now`.
    pub(super) fn increment(&mut self, labels: &str, seen: Mean, now: Micros) -> Mean {
        match self.last.replace(labels.to_owned(), seen, now) {
            Before::Value(last) if seen.count >= last.count => {
                Mean { sum: seen.sum - last.sum, count: seen.count - last.count }
            }
            Before::Value(_) | Before::Nothing => seen,
            Before::Unknown => Mean::default(),
        }
    }

    /// A scrape is through: series that appear from now on are new, and those go that none has had since `since`.
    pub(super) fn finish_scrape(&mut self, since: Micros) {
        self.last.finish_scrape(since);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::source::prometheus::Exposition;

    fn scrape(counters: &mut Counters, text: &str) -> Vec<f64> {
        let exposition = Exposition::parse(text);
        let increments = exposition.samples.iter().map(|sample| counters.increment(sample, 1)).collect();
        counters.finish_scrape(1);
        increments
    }

    #[test]
    fn the_first_scrape_adds_nothing_and_later_ones_the_difference() {
        let mut counters = Counters::default();
        assert_eq!(scrape(&mut counters, "ticks{symbol=\"A\"} 100"), [0.0]);
        assert_eq!(scrape(&mut counters, "ticks{symbol=\"A\"} 107"), [7.0]);
        assert_eq!(scrape(&mut counters, "ticks{symbol=\"A\"} 107"), [0.0]);
    }

    #[test]
    fn a_reset_is_a_fresh_start_of_that_series_alone() {
        let mut counters = Counters::default();
        scrape(&mut counters, "ticks{symbol=\"A\"} 100\nticks{symbol=\"B\"} 50");
        assert_eq!(scrape(&mut counters, "ticks{symbol=\"A\"} 3\nticks{symbol=\"B\"} 51"), [3.0, 1.0]);
    }

    #[test]
    fn a_series_that_appears_later_has_begun_at_zero() {
        let mut counters = Counters::default();
        scrape(&mut counters, "orders{side=\"buy\"} 10");
        assert_eq!(scrape(&mut counters, "orders{side=\"buy\"} 10\norders{side=\"sell\"} 1"), [0.0, 1.0]);
    }

    #[test]
    fn a_falling_sum_is_no_reset_while_its_count_rises() {
        let mut slippage = Distribution::default();
        slippage.increment("", Mean { sum: 5.0, count: 10.0 }, 1);
        let increment = slippage.increment("", Mean { sum: 3.0, count: 11.0 }, 2);
        assert_eq!(increment, Mean { sum: -2.0, count: 1.0 });
        let after_restart = slippage.increment("", Mean { sum: 1.0, count: 2.0 }, 3);
        assert_eq!(after_restart, Mean { sum: 1.0, count: 2.0 });
    }
}

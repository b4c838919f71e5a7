//! How long to wait before trying again what has failed.

use std::time::Duration;

/// Delays that double up to a longest one, each shortened by chance so that servers which failed together do not come
/// back together.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Default for Backoff {
    /// From one second to eight: short enough that a service is seen soon after it is back.
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(8))
    }
}

impl Backoff {
    /// Delays of `first` at the most after one failure, and of `longest` after many.
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The delay after one more failure: between half of the step and the whole of it.
    pub(super) fn next_delay(&mut self) -> Duration {
        let step = self.first.saturating_mul(1 << self.failures.min(16)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        step.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// It worked: the next failure starts from the beginning.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_begin_again_after_success() {
        let mut backoff = Backoff::default();
        for longest in [1, 2, 4, 8, 8, 8] {
            let longest = Duration::from_secs(longest);
            let delay = backoff.next_delay();
            assert!(delay >= longest / 2 && delay <= longest, "{delay:?} is not within half of {longest:?}");
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_secs(1));
    }
}

//! What requests took: percentiles and throughput of the last minute.
//!
//! Beside them every answer since the start is counted by the class of its status.
//!
//! Every request adds one to a bucket; nothing is locked. A minute is six slots of ten seconds, used in turn.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;

use crate::metrics::{Histogram, SECONDS};

/// The classes of a status, in the order of its first digit.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

const SLOTS: usize = 6;
const SLOT_SECONDS: u64 = 10;
/// Buckets of one power of two: a bucket is at most a sixteenth wider than its lower bound.
const STEPS: u32 = 16;
const STEP_BITS: u32 = STEPS.ilog2();
/// Enough for 2^36 microseconds, or nineteen hours.
const BUCKETS: usize = 544;

/// Counts of the last minute, by how long a request took.
pub struct Traffic {
    classes: [Histogram; CLASSES.len()],
    began: Instant,
    slots: [Slot; SLOTS],
}

struct Slot {
    /// Which ten seconds since the beginning it counts, plus one; 0 when it has not been used.
    period: AtomicU64,
    buckets: [AtomicU32; BUCKETS],
}

/// Latencies in milliseconds and requests a second; all zero before the first request.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Half of the requests took at most this.
    pub p50: f64,
    /// 95 of 100 requests took at most this.
    pub p95: f64,
    /// 99 of 100 requests took at most this.
    pub p99: f64,
    /// Requests a second.
    pub per_second: f64,
}

impl Traffic {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let classes = std::array::from_fn(|_| Histogram::new(SECONDS));
        Self { classes, began: Instant::now(), slots: std::array::from_fn(|_| Slot::default()) }
    }

    /// Counts a request that came at `started` and whose answer, of `status`, begins now.
    pub fn record(&self, status: StatusCode, started: Instant) {
        let now = Instant::now();
        let duration = now.duration_since(started);
        let class = usize::from(status.as_u16() / 100).checked_sub(1);
        if let Some(class) = class.and_then(|class| self.classes.get(class)) {
            class.record_duration(duration);
        }
        self.record_at(now.duration_since(self.began), duration);
    }

    /// How long answers took since the start, by the class of their status, in seconds until they began.
    pub fn classes(&self) -> impl Iterator<Item = (&'static str, &Histogram)> {
        CLASSES.into_iter().zip(&self.classes)
    }

    /// The figures of the last minute.
    pub fn figures(&self) -> Figures {
        self.figures_at(self.began.elapsed())
    }

    fn record_at(&self, now: Duration, duration: Duration) {
        let period = now.as_secs() / SLOT_SECONDS + 1;
        let slot = usize::try_from(period).ok().and_then(|period| self.slots.get(period % SLOTS));
        if let Some(slot) = slot {
            slot.turn_to(period);
            let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
            if let Some(bucket) = slot.buckets.get(bucket_of(micros)) {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn figures_at(&self, now: Duration) -> Figures {
        let newest = now.as_secs() / SLOT_SECONDS + 1;
        let oldest = (newest + 1).saturating_sub(SLOTS as u64).max(1);
        let slots = || {
            let recent = oldest..=newest;
            self.slots.iter().filter(move |slot| recent.contains(&slot.period.load(Ordering::Acquire)))
        };
        let counts: Vec<u64> = (0..BUCKETS).map(|bucket| slots().map(|slot| slot.count(bucket)).sum()).collect();
        let total: u64 = counts.iter().sum();
        let counted = now.as_secs_f64() - ((oldest - 1) * SLOT_SECONDS) as f64;
        Figures {
            p50: percentile(&counts, total, 50),
            p95: percentile(&counts, total, 95),
            p99: percentile(&counts, total, 99),
            // In the first moment a single request is not a thousand a second.
            per_second: total as f64 / counted.max(1.0),
        }
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self { period: AtomicU64::new(0), buckets: std::array::from_fn(|_| AtomicU32::new(0)) }
    }
}

impl Slot {
    /// Empties the slot if it still counts an older period. Requests that end in the same microsecond may be lost.
    fn turn_to(&self, period: u64) {
        let current = self.period.load(Ordering::Acquire);
        let first = || self.period.compare_exchange(current, period, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if current != period && first() {
            for bucket in &self.buckets {
                bucket.store(0, Ordering::Relaxed);
            }
        }
    }

    fn count(&self, bucket: usize) -> u64 {
        self.buckets.get(bucket).map_or(0, |count| u64::from(count.load(Ordering::Relaxed)))
    }
}

/// The bucket of a number of microseconds: its power of two, and which sixteenth of it.
fn bucket_of(micros: u64) -> usize {
    let micros = micros.clamp(1, (1 << 36) - 1);
    let power = micros.ilog2();
    let bucket = match power.checked_sub(STEP_BITS) {
        None => micros,
        Some(shift) => u64::from((shift + 1) * STEPS) + (micros >> shift) - u64::from(STEPS),
    };
    usize::try_from(bucket).unwrap_or(BUCKETS - 1)
}

/// Milliseconds at the upper end of a bucket.
fn upper_bound(bucket: usize) -> f64 {
    let steps = STEPS as usize;
    let micros = match (bucket / steps).checked_sub(1) {
        None => bucket as f64,
        Some(shift) => (steps + bucket % steps + 1) as f64 * (1_u64 << shift) as f64 - 1.0,
    };
    micros / 1e3
}

fn percentile(counts: &[u64], total: u64, percent: u64) -> f64 {
    let rank = (total * percent).div_ceil(100);
    let mut seen = 0;
    let reached = counts.iter().position(|count| {
        seen += count;
        rank > 0 && seen >= rank
    });
    reached.map_or(0.0, upper_bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn nothing_is_zero() {
        assert_eq!(Traffic::new().figures(), Figures::default());
    }

    #[test]
    fn percentiles_are_within_a_sixteenth() {
        let traffic = Traffic::new();
        for milliseconds in 1..=100 {
            traffic.record_at(Duration::from_secs(5), milliseconds * MILLISECOND);
        }
        let figures = traffic.figures_at(Duration::from_secs(5));
        for (measured, exact) in [(figures.p50, 50.0), (figures.p95, 95.0), (figures.p99, 99.0)] {
            assert!((exact..exact * 17.0 / 16.0).contains(&measured), "{measured} for {exact}");
        }
        assert_eq!(figures.per_second, 20.0);
    }

    #[test]
    fn what_is_older_than_a_minute_does_not_count() {
        let traffic = Traffic::new();
        traffic.record_at(Duration::from_secs(1), MILLISECOND);
        assert!(traffic.figures_at(Duration::from_secs(59)).p50 > 0.0);
        assert_eq!(traffic.figures_at(Duration::from_secs(61)), Figures::default());
        traffic.record_at(Duration::from_secs(61), 2 * MILLISECOND);
        assert!(traffic.figures_at(Duration::from_secs(61)).p50 >= 2.0);
    }

    #[test]
    fn every_duration_has_a_bucket_that_holds_it() {
        let mut last = 0;
        for micros in (1..100_000).chain([1 << 20, 1 << 30, (1 << 36) - 1]) {
            let bucket = bucket_of(micros);
            assert!(bucket >= last && bucket < BUCKETS);
            assert!(upper_bound(bucket) >= micros as f64 / 1e3, "{micros}");
            last = bucket;
        }
    }
}

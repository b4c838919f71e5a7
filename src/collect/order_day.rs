//! Orders since midnight UTC.

use super::counter::Mean;
use crate::live::ExecutionSection;
use crate::tables::ExecutionMetricsRow;
use crate::time::Micros;

/// Orders and fills of one day.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct OrderDay {
    /// Midnight UTC of the day.
    pub(super) start: Micros,
    /// Orders submitted.
    pub(super) submitted: f64,
    /// Orders filled.
    pub(super) filled: f64,
    /// Orders cancelled.
    pub(super) cancelled: f64,
    /// Orders rejected.
    pub(super) rejected: f64,
    /// Times from order to fill, in milliseconds.
    pub(super) latency_ms: Mean,
    /// Slippages, in basis points.
    pub(super) slippage_bps: Mean,
}

impl OrderDay {
    /// A day as a stored row tells it. The means are weighted with the filled orders, which is what they are of.
    pub(super) fn stored(start: Micros, row: &ExecutionMetricsRow) -> Self {
        let count = |orders: Option<i32>| f64::from(orders.unwrap_or(0));
        let filled = count(row.orders_filled);
        let mean =
            |value: Option<f64>| value.map_or(Mean::default(), |mean| Mean { sum: mean * filled, count: filled });
        Self {
            start,
            submitted: count(row.orders_submitted),
            filled,
            cancelled: count(row.orders_cancelled),
            rejected: count(row.orders_rejected),
            latency_ms: mean(row.avg_latency_ms),
            slippage_bps: mean(row.avg_slippage_bps),
        }
    }

    fn plus(mut self, other: Self) -> Self {
        self.submitted += other.submitted;
        self.filled += other.filled;
        self.cancelled += other.cancelled;
        self.rejected += other.rejected;
        self.latency_ms.add(other.latency_ms);
        self.slippage_bps.add(other.slippage_bps);
        self
    }

    /// Filled share of the submitted orders, at most 1; `None` before the first order.
    pub(super) fn fill_rate(&self) -> Option<f64> {
        (self.submitted > 0.0).then(|| (self.filled / self.submitted).min(1.0))
    }

    /// The day so far as a row.
    pub(super) fn row(&self, timestamp: Micros) -> ExecutionMetricsRow {
        // The cast saturates.
        let orders = |count: f64| Some(count as i32);
        ExecutionMetricsRow {
            timestamp,
            orders_submitted: orders(self.submitted),
            orders_filled: orders(self.filled),
            orders_cancelled: orders(self.cancelled),
            orders_rejected: orders(self.rejected),
            fill_rate: self.fill_rate(),
            avg_latency_ms: self.latency_ms.value(),
            avg_slippage_bps: self.slippage_bps.value(),
        }
    }

    /// The day so far as the live section; what is unknown is zero there.
    pub(super) fn section(&self, timestamp: Micros) -> ExecutionSection {
        ExecutionSection {
            timestamp,
            orders_today: self.submitted as i64,
            fills_today: self.filled as i64,
            cancelled: self.cancelled as i64,
            rejected: self.rejected as i64,
            fill_rate: self.fill_rate().unwrap_or(0.0),
            avg_latency_ms: self.latency_ms.value().unwrap_or(0.0),
            avg_slippage_bps: self.slippage_bps.value().unwrap_or(0.0),
        }
    }
}

/// Where today stands at the first scrape: `held` is what the service's counters hold.
///
/// A service that has started after the stored row has counted only new orders. One that has started earlier today has
/// counted nothing but today's, perhaps some while nobody looked. Of an older or silent one we know what was stored.
pub(super) fn first_of_day(
    restored: Option<&ExecutionMetricsRow>,
    held: OrderDay,
    service_start: Option<Micros>,
) -> OrderDay {
    let started_today = service_start.is_some_and(|start| start >= held.start);
    let Some(row) = restored else {
        return if started_today { held } else { OrderDay { start: held.start, ..OrderDay::default() } };
    };
    let stored = OrderDay::stored(held.start, row);
    if service_start.is_some_and(|start| start > row.timestamp) {
        stored.plus(held)
    } else if started_today && held.submitted >= stored.submitted {
        held
    } else {
        stored
    }
}

//! What becomes of an order.

use super::random::Random;
use crate::time::Micros;

/// Probability that an order is rejected.
const REJECTED: f64 = 0.02;
/// Probability that an order is cancelled before all of it is filled.
const CANCELLED: f64 = 0.06;
/// Probability that an order is filled in several parts.
const IN_PARTS: f64 = 0.3;
/// Median time to the first fill, in milliseconds.
const MEDIAN_LATENCY_MS: f64 = 14.0;
/// Mean and standard deviation of slippage, in basis points.
const SLIPPAGE_BPS: (f64, f64) = (0.6, 1.2);

/// An order on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    /// The strategy that sent it, by number.
    pub(super) trader: usize,
    /// The instrument, by number.
    pub(super) instrument: usize,
    /// Units; negative for a sale.
    pub(super) quantity: f64,
    /// The ask for a purchase, the bid for a sale, when the order was sent.
    pub(super) decision_price: f64,
    /// When it was sent.
    pub(super) submitted: Micros,
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Filled,
    Cancelled,
    Rejected,
}

/// A part of an order that was filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fill {
    /// When.
    pub(super) timestamp: Micros,
    /// Units; negative for a sale.
    pub(super) quantity: f64,
    /// Price of a unit.
    pub(super) price: f64,
    /// Time since the order was sent, in milliseconds.
    pub(super) latency_ms: f64,
    /// Loss against the decision price, in basis points.
    pub(super) slippage_bps: f64,
}

impl Order {
    /// Lets the market have the order for less than `patience`: its fills, and how it ended.
    pub(super) fn play(&self, patience: Micros, random: &mut Random) -> (Vec<Fill>, End) {
        if random.chance(REJECTED) {
            return (Vec::new(), End::Rejected);
        }
        let cancelled = random.chance(CANCELLED);
        let parts = if cancelled || random.chance(IN_PARTS) { 2 + usize::from(random.chance(0.3)) } else { 1 };
        let longest_ms = patience as f64 / 1_000.0 * 0.9;
        let mut latency_ms = MEDIAN_LATENCY_MS * (0.7 * random.normal()).exp();
        let mut left = self.quantity.abs();
        let mut fills = Vec::new();
        for part in (0..parts).rev() {
            if left <= 0.0 || (cancelled && part == 0) {
                break;
            }
            let share = if part == 0 { left } else { (left * random.between(0.3, 0.7)).round().max(1.0).min(left) };
            fills.push(self.fill(share, latency_ms.min(longest_ms), random));
            left -= share;
            latency_ms *= random.between(1.2, 2.5);
        }
        (fills, if left > 0.0 { End::Cancelled } else { End::Filled })
    }

    fn fill(&self, units: f64, latency_ms: f64, random: &mut Random) -> Fill {
        let side = self.quantity.signum();
        let (mean, deviation) = SLIPPAGE_BPS;
        let slippage = (mean + deviation * random.normal()) / 10_000.0;
        let price = (self.decision_price * (1.0 + side * slippage) * 100.0).round().max(1.0) / 100.0;
        let wait = ((latency_ms * 1_000.0).round() as Micros).max(1);
        Fill {
            timestamp: self.submitted.saturating_add(wait),
            quantity: side * units,
            price,
            latency_ms: wait as f64 / 1_000.0,
            slippage_bps: side * (price - self.decision_price) / self.decision_price * 10_000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_never_exceed_the_order_and_a_filled_order_is_filled() {
        let mut random = Random::new(5, 0);
        let order = Order { trader: 0, instrument: 0, quantity: -90.0, decision_price: 250.0, submitted: 1_000 };
        let mut ends = [0; 3];
        for _ in 0..10_000 {
            let (fills, end) = order.play(1_000_000, &mut random);
            let sold: f64 = fills.iter().map(|fill| fill.quantity).sum();
            match end {
                End::Filled => assert_eq!(sold, -90.0),
                End::Cancelled => assert!(sold < 0.0 && sold > -90.0),
                End::Rejected => assert!(fills.is_empty()),
            }
            for fill in &fills {
                assert!(fill.timestamp > 1_000 && fill.timestamp < 1_001_000);
                assert!((fill.slippage_bps + (fill.price - 250.0) / 250.0 * 10_000.0).abs() < 1e-9);
            }
            ends[end as usize] += 1;
        }
        assert!(ends[0] > 8_000 && ends[1] > 300 && ends[2] > 100, "{ends:?}");
    }
}

//! What history must answer, computed one row at a time.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::rows::{Micros, Quote, Strategy, text};

/// Rows by key: a later row with the key of an earlier one has replaced it.
#[derive(Default)]
pub struct Stored {
    pub quotes: BTreeMap<(Micros, String), Quote>,
    pub strategies: BTreeMap<(Micros, String), Strategy>,
}

/// What is asked for.
#[derive(Debug)]
pub struct Question {
    pub start: Micros,
    pub end: Micros,
    pub symbols: Vec<String>,
    /// Name and width of the bucket.
    pub interval: Option<(&'static str, Micros)>,
}

#[derive(Default)]
struct Bucket {
    prices: Vec<f64>,
    volume: Option<i64>,
    trades: Option<i64>,
    spreads: Vec<f64>,
}

impl Question {
    fn holds(&self, instant: Micros) -> bool {
        (self.start..=self.end).contains(&instant)
    }

    /// The rows of market data, in no order that matters.
    pub fn market_data(&self, stored: &Stored) -> Vec<Value> {
        let width = self.interval.map_or(5 * crate::rows::MINUTE, |(_, width)| width);
        let mut buckets = BTreeMap::<(Micros, &str), Bucket>::new();
        for quote in stored.quotes.values() {
            let wanted = self.symbols.is_empty() || self.symbols.contains(&quote.symbol);
            if !self.holds(quote.timestamp) || !wanted {
                continue;
            }
            let bucket = buckets.entry((quote.timestamp.div_euclid(width) * width, &quote.symbol)).or_default();
            bucket.prices.extend(quote.last_price);
            bucket.spreads.extend(quote.spread_bps);
            if let Some(volume) = quote.volume {
                *bucket.volume.get_or_insert(0) += volume;
            }
            if let Some(trades) = quote.trades {
                *bucket.trades.get_or_insert(0) += i64::from(trades);
            }
        }
        buckets
            .into_iter()
            .map(|((start, symbol), bucket)| {
                json!({"type": "market_data", "timestamp": text(start), "symbol": symbol,
                    "avg_price": mean(&bucket.prices),
                    "high": bucket.prices.iter().copied().reduce(f64::max),
                    "low": bucket.prices.iter().copied().reduce(f64::min),
                    "total_volume": bucket.volume, "total_trades": bucket.trades,
                    "avg_spread": mean(&bucket.spreads)})
            })
            .collect()
    }

    /// The rows of the strategies: raw without an interval, else the last of each bucket.
    pub fn strategies(&self, stored: &Stored) -> Vec<Value> {
        let mut kept = BTreeMap::<(Micros, &str), &Strategy>::new();
        for row in stored.strategies.values().filter(|row| self.holds(row.timestamp)) {
            let start = self.interval.map_or(row.timestamp, |(_, width)| row.timestamp.div_euclid(width) * width);
            // Rows come in the order of time, so the last of a bucket stays.
            kept.insert((start, &row.name), row);
        }
        kept.into_iter()
            .map(|((start, name), row)| {
                // What is not known of a strategy is zero in JSON.
                json!({"type": "strategy", "timestamp": text(start), "strategy_name": name,
                    "pnl": row.pnl.unwrap_or(0.0), "daily_pnl": 0.0, "positions": row.positions.unwrap_or(0),
                    "signals": 0, "win_rate": 0.0})
            })
            .collect()
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

//! Random rows of two tables.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Microseconds since the epoch.
pub type Micros = i64;

pub const MINUTE: Micros = 60_000_000;

/// A row of `market_data`.
#[derive(Debug, Clone)]
pub struct Quote {
    pub timestamp: Micros,
    pub symbol: String,
    pub last_price: Option<f64>,
    pub volume: Option<i64>,
    pub trades: Option<i32>,
    pub spread_bps: Option<f64>,
}

/// A row of `strategy_metrics`.
#[derive(Debug, Clone, PartialEq)]
pub struct Strategy {
    pub timestamp: Micros,
    pub name: String,
    pub pnl: Option<f64>,
    pub positions: Option<i32>,
}

/// Instants of a few days around `base`: often on the edge of a bucket, often where a row is already.
pub fn instant(random: &mut ChaCha8Rng, base: Micros) -> Micros {
    let minutes = match random.random_range(0..4) {
        0 => random.random_range(-3_000..3_000),
        1 => random.random_range(-70..70),
        2 => random.random_range(-12..12) * 5,
        _ => random.random_range(-3..3) * 1_440,
    };
    let within = match random.random_range(0..4) {
        0 => 0,
        1 => -1,
        2 => random.random_range(0..60) * 1_000_000,
        _ => random.random_range(0..MINUTE),
    };
    base + minutes * MINUTE + within
}

/// A random quote of one of the `symbols`.
pub fn quote(random: &mut ChaCha8Rng, base: Micros, symbols: &[String]) -> Quote {
    // Eighths add up without rounding, whatever the order.
    let eighths = |random: &mut ChaCha8Rng, most: i32| f64::from(random.random_range(-most..most)) / 8.0;
    Quote {
        timestamp: instant(random, base),
        symbol: symbols[random.random_range(0..symbols.len())].clone(),
        last_price: random.random_bool(0.85).then(|| eighths(random, 100_000)),
        volume: random.random_bool(0.85).then(|| random.random_range(0..5_000_000_000)),
        trades: random.random_bool(0.85).then(|| random.random_range(0..2_000_000_000)),
        spread_bps: random.random_bool(0.85).then(|| eighths(random, 800)),
    }
}

/// A random row of one of the strategies `names`.
pub fn strategy(random: &mut ChaCha8Rng, base: Micros, names: &[String]) -> Strategy {
    Strategy {
        timestamp: instant(random, base),
        name: names[random.random_range(0..names.len())].clone(),
        pnl: random.random_bool(0.8).then(|| f64::from(random.random_range(-1_000..1_000)) / 4.0),
        positions: random.random_bool(0.8).then(|| random.random_range(-5..5)),
    }
}

/// The instant as the API writes it.
pub fn text(instant: Micros) -> String {
    let instant = chrono::DateTime::from_timestamp_micros(instant).unwrap().naive_utc();
    let whole = instant.format("%FT%T").to_string();
    if chrono::Timelike::nanosecond(&instant) == 0 { whole } else { instant.format("%FT%T%.6f").to_string() }
}

impl Quote {
    pub fn json(&self) -> Value {
        json!({"timestamp": text(self.timestamp), "symbol": self.symbol, "last_price": self.last_price,
            "volume": self.volume, "trades": self.trades, "spread_bps": self.spread_bps})
    }
}

impl Strategy {
    pub fn json(&self) -> Value {
        json!({"timestamp": text(self.timestamp), "strategy_name": self.name, "pnl": self.pnl,
            "positions": self.positions})
    }
}

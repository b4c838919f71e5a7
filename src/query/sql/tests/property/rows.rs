//! Rows with every value that a column may hold, the odd ones often.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::time::{DAY, FIRST, LAST};

const SYMBOLS: [&str; 13] = ["A", "B", "AB", "a", "ß", "Ａ", "日本", "a%b", "a_b", "O'Neil", " ", "😀x\n", "e\u{301}"];
const SIDES: [&str; 4] = ["buy", "sell", "BUY", "b"];
/// The year 1, 1600, the last instant before what nanoseconds reach, 1970 and its neighbours, and the last of all.
const INSTANTS: [i64; 12] = [
    FIRST,
    FIRST + 1,
    -11_676_096_000 * SECOND + DAY / 2,
    -9_223_372_036_854_776,
    -9_223_372_036_854_775,
    -1,
    0,
    1,
    SECOND,
    9_223_372_036_854_776,
    LAST - DAY,
    LAST,
];
const INTEGERS: [i64; 8] = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX, 1 << 53];
const SMALL_INTEGERS: [i32; 6] = [i32::MIN, -1, 0, 1, i32::MAX, 7];
const ODD: [f64; 6] = [0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
const EXTREME: [f64; 8] = [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 1e300, -1e300, -0.0, f64::NAN];

struct Source(ChaCha8Rng);

impl Source {
    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.0).unwrap()
    }

    fn instant(&mut self) -> i64 {
        match self.0.random_range(0..3) {
            0 => self.one(&INSTANTS),
            1 => START + self.0.random_range(0..40) * SECOND,
            _ => self.0.random_range(FIRST..=LAST),
        }
    }

    /// A number whose sums are exact to the last few digits, or an odd one.
    fn tame(&mut self) -> f64 {
        f64::from(self.0.random_range(-400..400)) / 4.0
    }

    fn double(&mut self) -> Option<f64> {
        match self.0.random_range(0..8) {
            0 => None,
            1 => Some(self.one(&ODD)),
            _ => Some(self.tame()),
        }
    }

    fn extreme(&mut self) -> Option<f64> {
        self.0.random_bool(0.8).then(|| self.one(&EXTREME))
    }

    fn integer(&mut self) -> Option<i64> {
        match self.0.random_range(0..4) {
            0 => None,
            1 => Some(self.one(&INTEGERS)),
            _ => Some(self.0.random_range(-5..20)),
        }
    }
}

pub fn market_data(rows: usize) -> RecordBatch {
    let mut source = Source(ChaCha8Rng::seed_from_u64(7));
    let mut keys = std::collections::HashSet::new();
    let mut market_data = Vec::new();
    while market_data.len() < rows {
        let (timestamp, symbol) = (source.instant(), source.one(&SYMBOLS));
        if keys.insert((timestamp, symbol)) {
            market_data.push(MarketDataRow {
                timestamp,
                symbol: symbol.to_owned(),
                last_price: source.double(),
                bid: source.double(),
                ask: source.double(),
                volume: source.integer(),
                trades: source.0.random_bool(0.8).then(|| source.one(&SMALL_INTEGERS)),
                spread_bps: source.extreme(),
            });
        }
    }
    MarketDataRow::batch(&market_data).unwrap()
}

pub fn trades(rows: usize) -> RecordBatch {
    let mut source = Source(ChaCha8Rng::seed_from_u64(8));
    let trades = (0..rows).map(|row| TradeRow {
        trade_id: format!("t{row:03}"),
        timestamp: source.instant(),
        symbol: source.one(&SYMBOLS).to_owned(),
        side: source.one(&SIDES).to_owned(),
        quantity: source.tame(),
        price: source.one(&[0.0, -0.0, 1.25, -3.5, 100.0]),
        latency_ms: source.double(),
        slippage_bps: source.extreme(),
        strategy: source.one(&[None, Some(""), Some("momentum"), Some("Ünïcode")]).map(str::to_owned),
    });
    TradeRow::batch(&trades.collect::<Vec<_>>()).unwrap()
}

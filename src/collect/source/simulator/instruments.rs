//! What is traded in the simulated market.

use super::random::Random;

/// Trading seconds of a year, by which yearly volatility becomes that of a second.
const YEAR_SECONDS: f64 = 252.0 * 6.5 * 3_600.0;
/// Yearly volatility of the factor that all prices share.
const FACTOR_VOLATILITY: f64 = 0.16;
/// Streams of chance for the characters of invented instruments begin here.
const CHARACTER_STREAM: u64 = 1 << 32;

/// How an instrument behaves.
#[derive(Debug, Clone)]
pub(super) struct Character {
    /// Its symbol.
    pub(super) symbol: String,
    /// Price at the opening, to which it is drawn back over days.
    pub(super) price: f64,
    /// Part of the common factor's standard deviation, per square root of a second.
    pub(super) common: f64,
    /// Standard deviation of its own, per square root of a second.
    pub(super) own: f64,
    /// Half of the usual spread, as a share of the price.
    pub(super) half_spread: f64,
    /// Trades a second.
    pub(super) trades: f64,
    /// Units of a usual trade.
    pub(super) lot: f64,
}

/// Symbol, price, yearly volatility, beta, spread in basis points, trades a second, units a trade.
type Profile = (&'static str, f64, f64, f64, f64, f64, f64);

const KNOWN: [Profile; 8] = [
    ("AAPL", 228.0, 0.26, 1.1, 1.2, 6.0, 60.0),
    ("MSFT", 430.0, 0.24, 1.0, 1.2, 5.0, 40.0),
    ("GOOGL", 172.0, 0.28, 1.1, 1.5, 5.0, 50.0),
    ("AMZN", 205.0, 0.30, 1.2, 1.5, 5.0, 50.0),
    ("TSLA", 255.0, 0.55, 1.6, 2.2, 9.0, 45.0),
    ("NVDA", 138.0, 0.50, 1.7, 1.8, 12.0, 70.0),
    ("META", 580.0, 0.34, 1.2, 1.8, 4.0, 25.0),
    ("BTC-USD", 68_000.0, 0.60, 0.8, 3.0, 8.0, 2.0),
];

/// The first `count` instruments: known names first, invented ones after them. A larger count changes none of the
/// instruments that a smaller one gives.
pub(super) fn characters(seed: u64, count: usize) -> Vec<Character> {
    let known = KNOWN.into_iter().map(|(symbol, price, volatility, beta, spread, trades, lot)| {
        character(symbol.to_owned(), price, volatility, beta, spread, trades, lot)
    });
    let invented = (KNOWN.len() + 1..).map(|number| {
        let mut random = Random::new(seed, CHARACTER_STREAM + number as u64);
        let price = random.between(10.0_f64.ln(), 500.0_f64.ln()).exp();
        let (volatility, beta) = (random.between(0.2, 0.6), random.between(0.5, 1.5));
        let (spread, trades, lot) = (random.between(2.0, 8.0), random.between(0.5, 6.0), random.between(20.0, 200.0));
        character(format!("SYM{number:04}"), price, volatility, beta, spread, trades, lot)
    });
    known.chain(invented).take(count).collect()
}

fn character(
    symbol: String,
    price: f64,
    volatility: f64,
    beta: f64,
    spread_bps: f64,
    trades: f64,
    lot: f64,
) -> Character {
    let common = beta * FACTOR_VOLATILITY;
    let own = (volatility * volatility - common * common).max(0.01).sqrt();
    let per_second = YEAR_SECONDS.sqrt();
    Character {
        symbol,
        price,
        common: common / per_second,
        own: own / per_second,
        half_spread: spread_bps / 20_000.0,
        trades,
        lot,
    }
}

//! Prices that move like those of a market: together, and each for itself.

use super::instruments::{Character, characters};
use super::random::Random;
use super::ticks::{Tick, Ticks};
use crate::live::{MarketDataSection, SymbolValues};
use crate::time::Micros;

/// How fast a price is drawn back to where it began, per second: too slow to be seen in a day, but a simulation of
/// months keeps prices that people recognise.
const PULL: f64 = 1e-6;
/// Seconds over which a busy or a quiet time passes.
const MOOD_SECONDS: f64 = 600.0;
/// How busy busy times are: standard deviation of the logarithm.
const MOOD_SPREAD: f64 = 0.5;
/// Prices are in hundredths.
const TICKS_PER_UNIT: f64 = 100.0;

/// Every instrument, as it stands.
pub(super) struct Market {
    random: Random,
    instruments: Vec<Instrument>,
    /// Logarithm of how busy the market is.
    mood: f64,
}

/// One instrument, as it stands.
pub(super) struct Instrument {
    /// How it behaves.
    pub(super) character: Character,
    /// Between bid and ask: what a unit is worth now.
    pub(super) mid: f64,
    /// Best bid.
    pub(super) bid: f64,
    /// Best ask.
    pub(super) ask: f64,
    last_price: f64,
    volume: i64,
    trades: i64,
}

impl Market {
    /// A market before its opening.
    pub(super) fn new(seed: u64, symbols: usize) -> Self {
        let instruments = characters(seed, symbols).into_iter().map(Instrument::open).collect();
        Self { random: Random::new(seed, 0), instruments, mood: 0.0 }
    }

    /// Begins to count volume and trades.
    pub(super) fn open(&mut self) {
        for instrument in &mut self.instruments {
            (instrument.volume, instrument.trades) = (0, 0);
        }
    }

    /// The instruments, in order of appearance.
    pub(super) fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// Moves everything `seconds` on and writes down a row for each instrument.
    pub(super) fn tick(&mut self, timestamp: Micros, seconds: f64, ticks: &mut Ticks) {
        let random = &mut self.random;
        let kept = (-seconds / MOOD_SECONDS).exp();
        self.mood = self.mood * kept + MOOD_SPREAD * (1.0 - kept * kept).sqrt() * random.normal();
        let busy = self.mood.exp();
        let deviation = (seconds * busy).sqrt();
        let common = random.normal() * deviation;
        for instrument in &mut self.instruments {
            let character = &instrument.character;
            let pull = PULL * seconds * (character.price / instrument.mid).ln();
            let own = random.normal() * deviation;
            instrument.mid *= (pull + character.common * common + character.own * own).exp();
            instrument.quote(random.between(0.8, 1.2) * (0.7 + 0.3 * busy));

            let trades = random.poisson(instrument.character.trades * seconds * busy);
            let volume = instrument.trade(trades, random);
            ticks.push(
                timestamp,
                &instrument.character.symbol,
                Tick { last_price: instrument.last_price, bid: instrument.bid, ask: instrument.ask, volume, trades },
            );
        }
    }

    /// The live section; volume and trades are those since the opening.
    pub(super) fn section(&self, timestamp: Micros) -> MarketDataSection {
        let instruments = self.instruments.iter();
        let symbols: Vec<_> = instruments.map(|one| (one.character.symbol.clone(), one.values())).collect();
        MarketDataSection {
            timestamp,
            total_trades: symbols.iter().map(|(_, values)| values.trades).sum(),
            total_volume: symbols.iter().map(|(_, values)| values.volume as f64 * values.last_price).sum(),
            symbols_tracked: symbols.len(),
            symbols,
        }
    }

    /// What a unit of the symbol is worth now.
    #[cfg(test)]
    pub(super) fn mark(&self, symbol: &str) -> f64 {
        self.instruments.iter().find(|one| one.character.symbol == symbol).unwrap().mid
    }
}

impl Instrument {
    fn open(character: Character) -> Self {
        let mid = character.price;
        let mut instrument = Self { character, mid, bid: 0.0, ask: 0.0, last_price: 0.0, volume: 0, trades: 0 };
        instrument.quote(1.0);
        instrument.last_price = instrument.bid;
        instrument
    }

    /// Sets bid and ask around the mid price, `width` times the usual spread apart, outwards to whole ticks.
    fn quote(&mut self, width: f64) {
        let half = self.mid * self.character.half_spread * width;
        self.bid = ((self.mid - half) * TICKS_PER_UNIT).floor().max(1.0) / TICKS_PER_UNIT;
        self.ask = ((self.mid + half) * TICKS_PER_UNIT).ceil().max(2.0) / TICKS_PER_UNIT;
    }

    /// Trades at bid or ask; the volume of them.
    fn trade(&mut self, trades: u32, random: &mut Random) -> i64 {
        if trades == 0 {
            return 0;
        }
        self.last_price = if random.chance(0.5) { self.ask } else { self.bid };
        let trades = f64::from(trades);
        let volume = (trades * self.character.lot * random.between(0.5, 1.5)).round().max(trades) as i64;
        self.volume += volume;
        self.trades += trades as i64;
        volume
    }

    fn values(&self) -> SymbolValues {
        let Self { last_price, bid, ask, volume, trades, .. } = *self;
        SymbolValues { last_price, bid, ask, volume, trades }
    }
}

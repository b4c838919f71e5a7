//! A desk that does not exist, for demonstrations and load: the same seed plays the same market.
//!
//! * `instruments` are what is traded, `market` moves their prices, `ticks` gathers rows column by column.
//! * `watch` gives signals, `orders` says what becomes of an order, `account` keeps positions and profit, and `desk`
//!   lets the strategies trade with them.
//! * `random` is where all chance comes from, `schedule` says when the next thing happens.

mod account;
mod desk;
mod instruments;
mod market;
mod orders;
mod random;
mod schedule;
mod ticks;
mod watch;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use crate::collect::Restored;
use crate::config::DemoSettings;
use crate::live::{ExecutionSection, MarketDataSection, StrategySection};
use crate::tables::{ExecutionMetricsRow, StrategyMetricsRow, TradeRow};
use crate::time::{Micros, SECOND};

use desk::Desk;
use market::Market;
use schedule::Schedule;
use ticks::Ticks;

/// How often the strategies look at the market before it opens, so that they trade from the first minute on.
const LOOKS_BEFORE_OPENING: usize = 60;
/// Rows of one batch of ticks at the most.
const BATCH_ROWS: usize = 1 << 16;

/// A market and a desk in it, played forward in time.
///
/// What happens depends on the seed, the settings and the start alone, not on how the time is cut into pieces.
pub(in crate::collect) struct Simulator {
    market: Market,
    market_schedule: Schedule,
    desk: Desk,
    desk_schedule: Schedule,
}

/// What happened in a piece of time, in order.
#[derive(Default)]
pub(in crate::collect) struct Played {
    /// Rows of `market_data`, all symbols for each tick.
    pub(in crate::collect) market_data: Vec<RecordBatch>,
    /// Rows of `strategy_metrics`.
    pub(in crate::collect) strategies: Vec<StrategyMetricsRow>,
    /// Rows of `execution_metrics`.
    pub(in crate::collect) execution: Vec<ExecutionMetricsRow>,
    /// Rows of `trades`.
    pub(in crate::collect) trades: Vec<TradeRow>,
}

impl Simulator {
    /// A market that opens at `start`, and a desk that looks at it every `desk_period`.
    pub(in crate::collect) fn new(
        settings: &DemoSettings,
        desk_period: Micros,
        start: Micros,
        restored: &Restored,
    ) -> Self {
        let mut market = Market::new(settings.seed, settings.symbols.max(1));
        let tick_period = SECOND as f64 / settings.rate.clamp(1e-3, 1e5);
        let desk_period = desk_period.max(1);
        let mut desk = Desk::new(settings.seed, &market, desk_period, start, restored);
        let desk_schedule = Schedule::new(start, desk_period as f64);
        for _ in 0..LOOKS_BEFORE_OPENING {
            market.tick(start, desk_schedule.period_seconds(), &mut Ticks::default());
            desk.learn(&market);
        }
        market.open();
        Self { market, market_schedule: Schedule::new(start, tick_period), desk, desk_schedule }
    }

    /// Plays everything that is due up to `until`, which is included.
    pub(in crate::collect) fn advance(&mut self, until: Micros) -> Result<Played, ArrowError> {
        let mut played = Played::default();
        let mut ticks = Ticks::default();
        loop {
            let (tick, round) = (self.market_schedule.next_due(), self.desk_schedule.next_due());
            if tick.min(round) > until {
                break;
            }
            if tick <= round {
                self.market.tick(tick, self.market_schedule.period_seconds(), &mut ticks);
                self.market_schedule.step();
                if ticks.len() >= BATCH_ROWS {
                    played.market_data.push(std::mem::take(&mut ticks).finish()?);
                }
            } else {
                self.desk.round(round, &self.market, &mut played);
                self.desk_schedule.step();
            }
        }
        if ticks.len() > 0 {
            played.market_data.push(ticks.finish()?);
        }
        Ok(played)
    }

    /// Goes on at `instant` when the clock was set back to it.
    pub(in crate::collect) fn come_back_to(&mut self, instant: Micros) {
        self.market_schedule.come_back_to(instant);
        self.desk_schedule.come_back_to(instant);
    }

    /// Leaves out what was due before `instant`, when the player has fallen behind; says whether there was any.
    pub(in crate::collect) fn skip_before(&mut self, instant: Micros) -> bool {
        let market = self.market_schedule.skip_before(instant);
        let desk = self.desk_schedule.skip_before(instant);
        market || desk
    }

    /// The market as it stands.
    pub(in crate::collect) fn market_section(&self, now: Micros) -> MarketDataSection {
        self.market.section(now)
    }

    /// The strategies as they stand.
    pub(in crate::collect) fn strategy_section(&self, now: Micros) -> StrategySection {
        self.desk.strategy_section(now)
    }

    /// The orders as they stand.
    pub(in crate::collect) fn execution_section(&self, now: Micros) -> ExecutionSection {
        self.desk.execution_section(now)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use arrow::array::AsArray;
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Float64Type, Int32Type, TimestampMicrosecondType};

    use super::*;
    use crate::tables::MARKET_DATA;
    use crate::time::DAY;

    const NOON: Micros = 20_000 * DAY + DAY / 2;

    fn settings(seed: u64, symbols: usize, rate: f64) -> DemoSettings {
        DemoSettings { seed, symbols, rate }
    }

    fn simulator(settings: &DemoSettings) -> Simulator {
        Simulator::new(settings, SECOND, NOON, &Restored::default())
    }

    /// Plays `seconds` in pieces of `piece`.
    fn play(mut simulator: Simulator, seconds: i64, piece: Micros) -> (Simulator, RecordBatch, Played) {
        let mut all = Played::default();
        let mut until = NOON;
        loop {
            let played = simulator.advance(until).unwrap();
            all.market_data.extend(played.market_data);
            all.strategies.extend(played.strategies);
            all.execution.extend(played.execution);
            all.trades.extend(played.trades);
            if until >= NOON + seconds * SECOND {
                break;
            }
            until = (until + piece).min(NOON + seconds * SECOND);
        }
        let ticks = concat_batches(&MARKET_DATA.schema(), &all.market_data).unwrap();
        (simulator, ticks, all)
    }

    #[test]
    fn the_same_seed_plays_the_same_however_time_is_cut() {
        let settings = settings(7, 10, 3.0);
        let (_, ticks, all) = play(simulator(&settings), 120, SECOND);
        let (_, other_ticks, other) = play(simulator(&settings), 120, 777_777);
        assert_eq!(ticks, other_ticks);
        assert_eq!(all.strategies, other.strategies);
        assert_eq!(all.execution, other.execution);
        assert_eq!(all.trades, other.trades);
        assert!(!all.trades.is_empty());

        let (_, strange, _) = play(simulator(&DemoSettings { seed: 8, ..settings }), 120, SECOND);
        assert_ne!(ticks, strange);
    }

    #[test]
    fn every_symbol_has_a_row_for_every_tick() {
        let (_, ticks, _) = play(simulator(&settings(1, 9, 200.0)), 2, 100_000);
        assert_eq!(ticks.num_rows(), 9 * 401);
        let times = ticks.column(0).as_primitive::<TimestampMicrosecondType>();
        assert!(times.values().chunks(9).all(|tick| tick.iter().all(|time| time == &tick[0])));
        let starts: Vec<_> = times.values().iter().step_by(9).collect();
        assert!(starts.windows(2).all(|pair| pair[0] < pair[1]));
        let symbols = ticks.column(1).as_string::<i32>();
        let first: Vec<_> = (0..9).map(|row| symbols.value(row)).collect();
        assert_eq!(first, ["AAPL", "MSFT", "GOOGL", "AMZN", "TSLA", "NVDA", "META", "BTC-USD", "SYM0009"]);
    }

    #[test]
    fn quotes_are_those_of_a_market() {
        let (simulator, ticks, _) = play(simulator(&settings(3, 20, 1.0)), 3_600, SECOND);
        let column = |position: usize| ticks.column(position).as_primitive::<Float64Type>().values().clone();
        let (last, bid, ask, spread) = (column(2), column(3), column(4), column(7));
        for row in 0..ticks.num_rows() {
            assert!(0.0 < bid[row] && bid[row] < ask[row]);
            assert!((last[row] / bid[row] - 1.0).abs() < 0.05);
            assert!((spread[row] - (ask[row] - bid[row]) / last[row] * 10_000.0).abs() < 1e-9);
            assert!(spread[row] < 50.0);
        }
        let trades: i64 = ticks.column(6).as_primitive::<Int32Type>().values().iter().map(|n| i64::from(*n)).sum();
        let section = simulator.market_section(NOON);
        assert_eq!(section.total_trades, trades);
        assert_eq!(section.symbols_tracked, 20);

        // One common factor: returns over a minute of any two symbols tend the same way.
        let returns = |symbol: usize| -> Vec<f64> {
            let mids: Vec<f64> =
                (0..3_600 / 60).map(|at| at * 60 * 20 + symbol).map(|row| bid[row] + ask[row]).collect();
            mids.windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect()
        };
        let products = (0..8).flat_map(|left| (0..left).map(move |right| (left, right)));
        let correlation: f64 = products.map(|(left, right)| correlation(&returns(left), &returns(right))).sum();
        assert!(correlation / 28.0 > 0.1, "mean correlation {}", correlation / 28.0);
    }

    fn correlation(left: &[f64], right: &[f64]) -> f64 {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (left_mean, right_mean) = (mean(left), mean(right));
        let product =
            |a: &[f64], am: f64, b: &[f64], bm: f64| -> f64 { a.iter().zip(b).map(|(a, b)| (a - am) * (b - bm)).sum() };
        let covariance = product(left, left_mean, right, right_mean);
        covariance / (product(left, left_mean, left, left_mean) * product(right, right_mean, right, right_mean)).sqrt()
    }

    #[test]
    fn profit_follows_from_the_trades() {
        let (simulator, _, all) = play(simulator(&settings(42, 8, 1.0)), 3_600, SECOND);
        let mut cash: HashMap<&str, f64> = HashMap::new();
        let mut held: HashMap<(&str, &str), f64> = HashMap::new();
        for trade in &all.trades {
            let strategy = trade.strategy.as_deref().unwrap();
            let signed = if trade.side == "buy" { trade.quantity } else { -trade.quantity };
            *cash.entry(strategy).or_default() -= signed * trade.price;
            *held.entry((strategy, &trade.symbol)).or_default() += signed;
        }
        let section = simulator.strategy_section(NOON);
        assert_eq!(section.strategies.len(), 3);
        for (name, values) in &section.strategies {
            let positions = held.iter().filter(|((strategy, _), _)| strategy == name);
            let worth: f64 = positions.clone().map(|((_, symbol), held)| held * simulator.market.mark(symbol)).sum();
            let profit = cash[name.as_str()] + worth;
            assert!((values.pnl - profit).abs() < 1e-6, "{name}: {} is not {profit}", values.pnl);
            assert_eq!(values.positions, positions.filter(|(_, held)| **held != 0.0).count() as i64);
            assert!(values.signals > 0 && (0.0..=1.0).contains(&values.win_rate), "{name}: {values:?}");
        }
        assert_eq!(section.total_pnl, section.daily_pnl, "it all happened today");
    }

    #[test]
    fn orders_are_filled_cancelled_and_rejected() {
        let (_, _, all) = play(simulator(&settings(42, 8, 1.0)), 3_600, SECOND);
        let last = all.execution.last().unwrap();
        let counts = [last.orders_submitted, last.orders_filled, last.orders_cancelled, last.orders_rejected];
        let [submitted, filled, cancelled, rejected] = counts.map(Option::unwrap);
        assert!(filled > 100 && cancelled > 0 && rejected > 0, "{last:?}");
        let working = submitted - filled - cancelled - rejected;
        assert!((0..=40).contains(&working), "{last:?}");
        assert!(last.avg_latency_ms.unwrap() > 1.0 && last.avg_slippage_bps.unwrap() > 0.0);
        assert!(all.trades.len() as i32 > filled, "some orders are filled in parts");

        let ids: HashSet<_> = all.trades.iter().map(|trade| &trade.trade_id).collect();
        assert_eq!(ids.len(), all.trades.len());
        let mut rounds = all.trades.iter().map(|trade| trade.timestamp);
        assert!(rounds.all(|time| time > NOON && time < NOON + 3_600 * SECOND));
        assert!(all.trades.iter().all(|trade| trade.quantity > 0.0 && trade.latency_ms.unwrap() < 1_000.0));
    }

    #[test]
    fn a_day_begins_at_midnight_and_goes_on_after_a_restart() {
        let settings = settings(42, 8, 1.0);
        let mut simulator = simulator(&settings);
        simulator.advance(NOON + 600 * SECOND).unwrap();
        let before = simulator.strategy_section(NOON);
        simulator.skip_before(NOON + DAY / 2);
        let played = simulator.advance(NOON + DAY / 2).unwrap();
        assert!(played.execution[0].orders_submitted.unwrap() < 10, "yesterday's orders are not counted");
        let after = simulator.strategy_section(NOON);
        assert!(after.daily_pnl.abs() < before.daily_pnl.abs());
        assert!((after.total_pnl - after.daily_pnl - before.total_pnl).abs() < 1e-6);

        let played = simulator.advance(NOON + DAY / 2 + 600 * SECOND).unwrap();
        let execution = played.execution.last().unwrap().clone();
        let strategies = played.strategies[played.strategies.len() - 3..].to_vec();
        let restored = Restored { execution: Some(execution.clone()), strategies: strategies.clone() };
        let mut again = Simulator::new(&settings, SECOND, execution.timestamp + SECOND, &restored);
        let played = again.advance(execution.timestamp + SECOND).unwrap();
        assert_eq!(played.execution[0].orders_filled, execution.orders_filled);
        assert!(played.execution[0].orders_submitted >= execution.orders_submitted);
        for (row, stored) in played.strategies.iter().zip(&strategies) {
            assert_eq!(row.pnl, stored.pnl);
            assert!(row.signals >= stored.signals);
            assert!((row.daily_pnl.unwrap() - stored.daily_pnl.unwrap()).abs() < 1e-9);
        }
    }
}

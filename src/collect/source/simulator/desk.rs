//! Three strategies that trade in the simulated market.

use uuid::Builder;

use super::Played;
use super::account::Account;
use super::market::{Instrument, Market};
use super::orders::{End, Fill, Order};
use super::random::Random;
use super::watch::{Style, Watch};
use crate::collect::Restored;
use crate::collect::counter::Mean;
use crate::collect::order_day::OrderDay;
use crate::collect::strategy::{StrategyDay, section};
use crate::live::{ExecutionSection, StrategySection, StrategyValues};
use crate::tables::{StrategyMetricsRow, TradeRow};
use crate::time::{self, Micros, SECOND};

/// Instruments that the strategies trade; the others are only there to be seen.
const TRADED: usize = 16;
/// What a position is worth when it is entered, in account currency.
const POSITION_VALUE: f64 = 20_000.0;

const MOMENTUM: Style = Style { direction: 1.0, fast: 4.0, slow: 20.0, enter: 1.2, leave: 0.1 };
const MEAN_REVERSION: Style = Style { direction: -1.0, fast: 0.0, slow: 30.0, enter: 1.4, leave: 0.2 };
const PAIRS_TRADING: Style = Style { direction: -1.0, fast: 0.0, slow: 40.0, enter: 1.4, leave: 0.2 };

/// The strategies and their orders.
pub(super) struct Desk {
    random: Random,
    period: Micros,
    traders: Vec<Trader>,
    working: Vec<Order>,
    today: OrderDay,
}

struct Trader {
    name: &'static str,
    watches: Vec<Watch>,
    account: Account,
    day: StrategyDay,
    values: StrategyValues,
}

impl Desk {
    /// A desk without positions that looks at the market every `period`; profit and the day's figures go on from what
    /// was stored.
    pub(super) fn new(seed: u64, market: &Market, period: Micros, start: Micros, restored: &Restored) -> Self {
        let midnight = time::day_start(start);
        let stored = restored.execution.as_ref().filter(|row| time::day_start(row.timestamp) == midnight);
        let today = stored.map(|row| OrderDay::stored(midnight, row));
        let traded = market.instruments().get(..TRADED).unwrap_or(market.instruments());
        let step = (period as f64 / SECOND as f64).sqrt();
        let deviation = |one: &Instrument| (one.character.common.powi(2) + one.character.own.powi(2)).sqrt();
        let single = |style: Style| -> Vec<Watch> {
            let watches = traded.iter().enumerate();
            watches.map(|(leg, one)| Watch::new(vec![(leg, 1.0)], style, deviation(one) * step)).collect()
        };
        let pairs = traded.chunks_exact(2).enumerate().filter_map(|(pair, legs)| {
            let [long, short] = legs else { return None };
            let common = long.character.common - short.character.common;
            let own = long.character.own.hypot(short.character.own);
            Some(Watch::new(vec![(2 * pair, 1.0), (2 * pair + 1, -1.0)], PAIRS_TRADING, own.hypot(common) * step))
        });
        let trader = |name: &'static str, watches: Vec<Watch>| {
            let row = restored.strategies.iter().find(|row| row.strategy_name == name);
            Trader {
                name,
                watches,
                account: Account::new(traded.len(), row.and_then(|row| row.pnl).unwrap_or(0.0)),
                day: row.map(StrategyDay::restored).unwrap_or_default(),
                values: StrategyValues::default(),
            }
        };
        Self {
            random: Random::new(seed, 1),
            period,
            traders: vec![
                trader("momentum", single(MOMENTUM)),
                trader("mean_reversion", single(MEAN_REVERSION)),
                trader("pairs_trading", pairs.collect()),
            ],
            working: Vec::new(),
            today: today.unwrap_or(OrderDay { start: midnight, ..OrderDay::default() }),
        }
    }

    /// Looks at the market without trading in it yet.
    pub(super) fn learn(&mut self, market: &Market) {
        for watch in self.traders.iter_mut().flat_map(|trader| &mut trader.watches) {
            watch.learn(market.instruments());
        }
    }

    /// What has become of the last round's orders, then new ones, then the books.
    pub(super) fn round(&mut self, now: Micros, market: &Market, played: &mut Played) {
        let midnight = time::day_start(now);
        if self.today.start != midnight {
            self.today = OrderDay { start: midnight, ..OrderDay::default() };
        }
        self.settle(market, &mut played.trades);
        for number in 0..self.traders.len() {
            self.decide(number, now, market, played);
        }
        played.execution.push(self.today.row(now));
    }

    fn settle(&mut self, market: &Market, trades: &mut Vec<TradeRow>) {
        let first = trades.len();
        for order in std::mem::take(&mut self.working) {
            let (fills, end) = order.play(self.period, &mut self.random);
            for fill in fills {
                self.today.latency_ms.add(Mean { sum: fill.latency_ms, count: 1.0 });
                self.today.slippage_bps.add(Mean { sum: fill.slippage_bps, count: 1.0 });
                if let Some(trader) = self.traders.get_mut(order.trader) {
                    trader.account.fill(order.instrument, fill.quantity, fill.price);
                    let instrument = market.instruments().get(order.instrument);
                    trades.extend(instrument.map(|one| trade(one, trader.name, fill, &mut self.random)));
                }
            }
            *match end {
                End::Filled => &mut self.today.filled,
                End::Cancelled => &mut self.today.cancelled,
                End::Rejected => &mut self.today.rejected,
            } += 1.0;
        }
        if let Some(settled) = trades.get_mut(first..) {
            settled.sort_by_key(|trade| trade.timestamp);
        }
    }

    /// One strategy looks at the market, sends orders for what it wants to hold, and closes its books for the round.
    fn decide(&mut self, number: usize, now: Micros, market: &Market, played: &mut Played) {
        let Some(trader) = self.traders.get_mut(number) else { return };
        let mut signals = 0.0;
        for watch in &mut trader.watches {
            let (stance, news) = watch.look(market.instruments());
            signals += f64::from(u8::from(news));
            for (leg, sign) in &watch.legs {
                let Some(instrument) = market.instruments().get(*leg) else { continue };
                let held = trader.account.quantity(*leg);
                let wanted = match stance * sign {
                    0.0 => 0.0,
                    // A position is not resized while the price moves.
                    side if held * side > 0.0 && !news => held,
                    side => side * (POSITION_VALUE / instrument.character.price).round().max(1.0),
                };
                let quantity = wanted - held;
                if quantity != 0.0 {
                    let decision_price = if quantity > 0.0 { instrument.ask } else { instrument.bid };
                    let instrument = *leg;
                    self.working.push(Order { trader: number, instrument, quantity, decision_price, submitted: now });
                    self.today.submitted += 1.0;
                }
            }
        }
        played.strategies.push(trader.close(now, signals, market));
    }

    /// The live section of the strategies.
    pub(super) fn strategy_section(&self, now: Micros) -> StrategySection {
        section(now, self.traders.iter().map(|trader| (trader.name.to_owned(), trader.values.clone())).collect())
    }

    /// The live section of the orders.
    pub(super) fn execution_section(&self, now: Micros) -> ExecutionSection {
        self.today.section(now)
    }
}

impl Trader {
    fn close(&mut self, timestamp: Micros, signals: f64, market: &Market) -> StrategyMetricsRow {
        let pnl = self.account.profit(market.instruments().iter().map(|one| one.mid));
        let daily_pnl = self.day.earn(timestamp, pnl, Some(0.0));
        let signals = self.day.count(timestamp, signals);
        let (open, win_rate) = (self.account.open(), self.account.win_rate());
        self.values = StrategyValues {
            pnl,
            daily_pnl,
            positions: open as i64,
            signals: signals as i64,
            win_rate: win_rate.unwrap_or(0.0),
        };
        StrategyMetricsRow {
            timestamp,
            strategy_name: self.name.to_owned(),
            pnl: Some(pnl),
            daily_pnl: Some(daily_pnl),
            positions: i32::try_from(open).ok(),
            signals: Some(signals as i32),
            win_rate,
        }
    }
}

/// The row of a fill. Its identifier holds the time, so it differs from those of any other run.
fn trade(instrument: &Instrument, strategy: &str, fill: Fill, random: &mut Random) -> TradeRow {
    let milliseconds = u64::try_from(fill.timestamp / 1_000).unwrap_or(0);
    TradeRow {
        trade_id: Builder::from_unix_timestamp_millis(milliseconds, &random.bytes()).into_uuid().to_string(),
        timestamp: fill.timestamp,
        symbol: instrument.character.symbol.clone(),
        side: if fill.quantity > 0.0 { "buy" } else { "sell" }.to_owned(),
        quantity: fill.quantity.abs(),
        price: fill.price,
        latency_ms: Some(fill.latency_ms),
        slippage_bps: Some(fill.slippage_bps),
        strategy: Some(strategy.to_owned()),
    }
}

//! The risk service: profit, loss and positions of each strategy.
//!
//! A desk whose risk metrics carry no strategy label has one strategy, by the name that the mapping gives.

use std::collections::HashMap;

use arrow::error::ArrowError;

use super::counter::Counters;
use super::drive::Component;
use super::labels::Labels;
use super::preferred::Preferred;
use super::scraped::{Observed, Observer, Taken, Tally};
use super::source::prometheus::{Exposition, Sample};
use crate::config::mapping::{Names, StrategyMapping};
use crate::live::{Live, StrategySection, StrategyValues};
use crate::tables::{STRATEGY_METRICS, StrategyMetricsRow, Table};
use crate::time::{self, Micros};

/// Strategies that nobody speaks of any more and whose day is kept, should they come back.
const MOST_AWAY: usize = 10_000;

/// Compares each strategy's profit with what it was at midnight UTC.
pub(super) struct Strategy {
    mapping: StrategyMapping,
    counters: Counters,
    strategies: Labels<StrategyState>,
    /// Where strategies stood that were stored before the start, or that no scrape speaks of any more.
    away: HashMap<Box<str>, StrategyDay>,
    /// After this time a strategy goes that no scrape speaks of.
    expiry: Micros,
}

#[derive(Default)]
struct StrategyState {
    day: StrategyDay,
    values: StrategyValues,
    /// What the scrape in hand says.
    seen: Option<Seen>,
}

/// Which of the values a metric serves.
type Choice = fn(&mut Seen) -> &mut Preferred;

/// What is kept of a strategy from round to round so that a day's figures can be told.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct StrategyDay {
    /// Midnight UTC of the day.
    start: Micros,
    /// Profit at midnight, once it is known.
    base: Option<f64>,
    /// The last profit seen.
    pnl: Option<f64>,
    /// Signals since midnight.
    signals: f64,
}

#[derive(Default)]
struct Seen {
    realized: Preferred,
    unrealized: Preferred,
    positions: Preferred,
    open_sizes: Preferred,
    signals: Preferred,
    win_rate: Preferred,
}

impl StrategyDay {
    /// Goes on from the newest stored row of the strategy, of whatever day.
    pub(super) fn restored(row: &StrategyMetricsRow) -> Self {
        let base = row.pnl.zip(row.daily_pnl).map(|(pnl, daily)| pnl - daily);
        Self { start: time::day_start(row.timestamp), base, pnl: row.pnl, signals: f64::from(row.signals.unwrap_or(0)) }
    }

    /// Takes in what came of signals, and gives those of today.
    pub(super) fn count(&mut self, now: Micros, signals: f64) -> f64 {
        self.turn(now);
        self.signals += signals;
        self.signals
    }

    /// Takes in a profit, and gives that of today. A profit at midnight that nobody saw is `unseen_base`, or else the first
    /// profit that is seen.
    pub(super) fn earn(&mut self, now: Micros, pnl: f64, unseen_base: Option<f64>) -> f64 {
        self.turn(now);
        self.pnl = Some(pnl);
        pnl - *self.base.get_or_insert(unseen_base.unwrap_or(pnl))
    }

    fn turn(&mut self, now: Micros) {
        let today = time::day_start(now);
        if self.start != today {
            // A day on which no profit was seen ends as it began.
            *self = Self { start: today, base: self.pnl.or(self.base), pnl: None, signals: 0.0 };
        }
    }
}

impl Strategy {
    /// Nothing seen yet. `restored` are the newest stored rows, one of each strategy.
    pub(super) fn new(mapping: StrategyMapping, restored: Vec<StrategyMetricsRow>, expiry: Micros) -> Self {
        let day = |row: &StrategyMetricsRow| (row.strategy_name.as_str().into(), StrategyDay::restored(row));
        let away = restored.iter().take(MOST_AWAY).map(day).collect();
        Self { mapping, counters: Counters::default(), strategies: Labels::default(), away, expiry }
    }

    fn take(&mut self, sample: &Sample, now: Micros) -> Taken {
        let gauge = |names: &Names| names.rank(&sample.name, sample.may_gauge()).map(|rank| rank.position);
        let mapping = &self.mapping;
        let candidates: [(&Names, Choice); 5] = [
            (&mapping.realized, |seen| &mut seen.realized),
            (&mapping.unrealized, |seen| &mut seen.unrealized),
            (&mapping.positions, |seen| &mut seen.positions),
            (&mapping.position_size, |seen| &mut seen.open_sizes),
            (&mapping.win_rate, |seen| &mut seen.win_rate),
        ];
        let found = candidates.into_iter().find_map(|(names, choice)| Some((gauge(names)?, choice, false)));
        let found = found.or_else(|| {
            let rank = mapping.signals.rank(&sample.name, sample.may_count())?;
            let signals: Choice = |seen| &mut seen.signals;
            Some((rank.position, signals, true))
        });
        let Some((rank, choice, counts)) = found else {
            let known = mapping.without_column.rank(&sample.name, true).is_some();
            return Taken::without_column(known || gauge(&mapping.service_start).is_some());
        };
        let size = gauge(&mapping.position_size).is_some();
        let value = if size { f64::from(u8::from(sample.value != 0.0)) } else { sample.value };
        let strategy = sample.label(&mapping.strategy_label).unwrap_or(&mapping.unlabelled_strategy);
        let away = &mut self.away;
        let begin = || StrategyState { day: away.remove(strategy).unwrap_or_default(), ..StrategyState::default() };
        let Some(state) = self.strategies.speak_of(strategy, now, begin) else { return Taken::LeftOut };
        let increment = if counts { self.counters.increment(sample, now) } else { 0.0 };
        choice(state.seen.get_or_insert_default()).add(rank, value, increment);
        Taken::Used
    }

    /// Lets strategies go that no scrape has spoken of since `since`; where their day stands is kept.
    fn forget_before(&mut self, since: Micros, now: Micros) {
        let away = &mut self.away;
        self.strategies.forget_before(since, |name, state| {
            if away.len() >= MOST_AWAY {
                away.retain(|_, day| day.start >= time::day_start(now));
            }
            if away.len() < MOST_AWAY {
                away.insert(name, state.day);
            }
        });
    }

    fn service_start(&self, exposition: &Exposition) -> Option<Micros> {
        let start = |sample: &&Sample| self.mapping.service_start.rank(&sample.name, sample.may_gauge()).is_some();
        exposition.samples.iter().find(start).map(|sample| (sample.value * time::SECOND as f64) as Micros)
    }
}

impl Observer for Strategy {
    const COMPONENT: &'static [Component; 1] = &[Component::Strategy];
    const TABLE: &'static Table = &STRATEGY_METRICS;

    fn observe(&mut self, exposition: &Exposition, now: Micros) -> Result<Observed, ArrowError> {
        let tally: Tally = exposition.samples.iter().map(|sample| self.take(sample, now)).collect();
        let since = now.saturating_sub(self.expiry);
        self.counters.finish_scrape(since);
        // Profit of a service that has started today is today's.
        let started_today = self.service_start(exposition).is_some_and(|start| start >= time::day_start(now));
        let unseen_base = started_today.then_some(0.0);
        let rows: Vec<_> =
            self.strategies.iter_mut().filter_map(|(name, state)| state.row(name, now, unseen_base)).collect();
        self.forget_before(since, now);
        Ok(Observed { rows: StrategyMetricsRow::batch(&rows)?, tally })
    }

    fn show(&self, live: &Live, now: Micros) {
        let shown = self.strategies.shown().map(|(name, state)| (name.to_owned(), state.values.clone()));
        let strategies: Vec<_> = shown.collect();
        live.components.strategy.hide(self.strategies.len() - strategies.len());
        live.set_strategy(section(now, strategies));
    }
}

/// The live section of these strategies.
pub(super) fn section(timestamp: Micros, strategies: Vec<(String, StrategyValues)>) -> StrategySection {
    let values = || strategies.iter().map(|(_, values)| values);
    StrategySection {
        timestamp,
        total_pnl: values().map(|values| values.pnl).sum(),
        daily_pnl: values().map(|values| values.daily_pnl).sum(),
        open_positions: values().map(|values| values.positions).sum(),
        signals_generated: values().map(|values| values.signals).sum(),
        strategies,
    }
}

impl StrategyState {
    /// The row of the scrape in hand, which is done with after this; `None` when it did not speak of the strategy.
    fn row(&mut self, name: &str, timestamp: Micros, unseen_base: Option<f64>) -> Option<StrategyMetricsRow> {
        let seen = self.seen.take()?;
        let (realized, unrealized) = (seen.realized.value(), seen.unrealized.value());
        let pnl = realized.or(unrealized).map(|_| realized.unwrap_or(0.0) + unrealized.unwrap_or(0.0));
        let gained = seen.signals.increment().unwrap_or(0.0);
        let daily_pnl = pnl.map(|pnl| self.day.earn(timestamp, pnl, unseen_base));
        let signals = self.day.count(timestamp, gained);
        let positions = seen.positions.value().or(seen.open_sizes.value());
        let signals = seen.signals.value().map(|_| signals);
        let values = &mut self.values;
        if let Some(profit) = pnl.zip(daily_pnl) {
            (values.pnl, values.daily_pnl) = profit;
        }
        values.positions = positions.map_or(values.positions, |positions| positions as i64);
        values.signals = signals.map_or(values.signals, |signals| signals as i64);
        values.win_rate = seen.win_rate.value().unwrap_or(values.win_rate);
        Some(StrategyMetricsRow {
            timestamp,
            strategy_name: name.to_owned(),
            pnl,
            daily_pnl,
            positions: positions.map(|positions| positions as i32),
            signals: signals.map(|signals| signals as i32),
            win_rate: seen.win_rate.value(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{DAY, SECOND};

    const NOON: Micros = 20_000 * DAY + DAY / 2;

    fn text(realized: f64, unrealized: [f64; 2]) -> String {
        format!(
            "# TYPE risk_position_count gauge\nrisk_position_count 2\n\
             # TYPE risk_position_size gauge\nrisk_position_size{{symbol=\"A\"}} 10\nrisk_position_size{{symbol=\"B\"}} 0\n\
             # TYPE risk_pnl_realized gauge\nrisk_pnl_realized {realized}\n\
             # TYPE risk_pnl_unrealized gauge\n\
             risk_pnl_unrealized{{symbol=\"A\"}} {}\nrisk_pnl_unrealized{{symbol=\"B\"}} {}\n\
             # TYPE risk_total_exposure gauge\nrisk_total_exposure 5000\n\
             # TYPE risk_limit_breaches_total counter\nrisk_limit_breaches_total 0\n",
            unrealized[0], unrealized[1]
        )
    }

    fn desk(timestamp: Micros, pnl: f64, daily_pnl: f64) -> StrategyMetricsRow {
        StrategyMetricsRow {
            timestamp,
            strategy_name: "desk".into(),
            pnl: Some(pnl),
            daily_pnl: Some(daily_pnl),
            positions: Some(2),
            signals: None,
            win_rate: None,
        }
    }

    fn check(collector: &mut Strategy, text: &str, expected: &[StrategyMetricsRow]) {
        let observed = collector.observe(&Exposition::parse(text), expected[0].timestamp).unwrap();
        assert_eq!(observed.tally, Tally::default());
        assert_eq!(observed.rows, StrategyMetricsRow::batch(expected).unwrap());
    }

    #[test]
    fn profit_is_realised_and_unrealised_and_a_day_begins_at_midnight() {
        let mut collector = Strategy::new(StrategyMapping::default(), Vec::new(), DAY);
        check(&mut collector, &text(100.0, [20.0, -5.0]), &[desk(NOON, 115.0, 0.0)]);
        check(&mut collector, &text(110.0, [20.0, 0.0]), &[desk(NOON + SECOND, 130.0, 15.0)]);
        check(&mut collector, &text(110.0, [20.0, 5.0]), &[desk(NOON + DAY, 135.0, 5.0)]);

        let live = Live::new();
        collector.show(&live, NOON + DAY);
        let section = live.snapshot().strategy.values.clone();
        assert_eq!((section.total_pnl, section.daily_pnl, section.open_positions), (135.0, 5.0, 2));
    }

    #[test]
    fn a_stored_row_tells_where_the_day_began() {
        let today = vec![desk(NOON - SECOND, 90.0, 30.0)];
        let mut collector = Strategy::new(StrategyMapping::default(), today, DAY);
        check(&mut collector, &text(100.0, [0.0, 0.0]), &[desk(NOON, 100.0, 40.0)]);

        let yesterday = vec![desk(NOON - DAY, 90.0, 30.0)];
        let mut collector = Strategy::new(StrategyMapping::default(), yesterday, DAY);
        check(&mut collector, &text(100.0, [0.0, 0.0]), &[desk(NOON, 100.0, 10.0)]);
    }

    #[test]
    fn a_service_that_started_today_has_earned_all_of_it_today() {
        let started = (NOON - 60 * SECOND) / SECOND;
        let text = format!("process_start_time_seconds {started}\n{}", text(100.0, [0.0, 0.0]));
        let mut collector = Strategy::new(StrategyMapping::default(), Vec::new(), DAY);
        check(&mut collector, &text, &[desk(NOON, 100.0, 100.0)]);
    }

    #[test]
    fn a_desk_with_a_strategy_label_gets_a_row_for_each() {
        let text = "risk_pnl_realized{strategy=\"momentum\"} 10\nrisk_pnl_unrealized{strategy=\"momentum\"} 1\n\
                    risk_pnl_realized{strategy=\"pairs\"} -4\nrisk_position_size{strategy=\"pairs\",symbol=\"A\"} 3\n";
        let row = |name: &str, pnl, positions| StrategyMetricsRow {
            strategy_name: name.into(),
            positions,
            ..desk(NOON, pnl, 0.0)
        };
        let mut collector = Strategy::new(StrategyMapping::default(), Vec::new(), DAY);
        check(&mut collector, text, &[row("momentum", 11.0, None), row("pairs", -4.0, Some(1))]);
    }

    #[test]
    fn signals_are_counted_whether_or_not_there_is_a_profit() {
        let mut collector = Strategy::new(StrategyMapping::default(), Vec::new(), DAY);
        let text = |pnl: &str, signals: u32| {
            format!("risk_pnl_realized {pnl}\n# TYPE risk_signals_total counter\nrisk_signals_total {signals}\n")
        };
        let mut signals = |text: &str, at: Micros| {
            let rows = collector.observe(&Exposition::parse(text), NOON + at).unwrap().rows;
            let rows = StrategyMetricsRow::rows(&rows).unwrap();
            (rows[0].pnl, rows[0].daily_pnl, rows[0].signals)
        };
        assert_eq!(signals(&text("100", 10), 0), (Some(100.0), Some(0.0), Some(0)));
        assert_eq!(signals(&text("NaN", 15), SECOND), (None, None, Some(5)));
        assert_eq!(signals(&text("101", 20), 2 * SECOND), (Some(101.0), Some(1.0), Some(10)));
        assert_eq!(signals("risk_signals_total 22", DAY), (None, None, Some(2)), "a day without any profit");
        assert_eq!(signals(&text("104", 22), 2 * DAY), (Some(104.0), Some(3.0), Some(0)));
    }

    #[test]
    fn a_strategy_that_no_scrape_speaks_of_goes_and_its_day_goes_on_when_it_is_back() {
        let mut collector = Strategy::new(StrategyMapping::default(), Vec::new(), 60 * SECOND);
        let text = |name: &str, pnl: f64| format!("risk_pnl_realized{{strategy=\"{name}\"}} {pnl}\n");
        let row = |name: &str, at, pnl, daily_pnl| StrategyMetricsRow {
            strategy_name: name.into(),
            positions: None,
            ..desk(NOON + at * SECOND, pnl, daily_pnl)
        };
        let both = |first, second| text("momentum", first) + &text("pairs", second);
        check(&mut collector, &both(10.0, 5.0), &[row("momentum", 0, 10.0, 0.0), row("pairs", 0, 5.0, 0.0)]);
        check(&mut collector, &text("momentum", 11.0), &[row("momentum", 61, 11.0, 1.0)]);
        assert_eq!(collector.strategies.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["momentum"]);
        check(&mut collector, &both(12.0, 8.0), &[row("momentum", 62, 12.0, 2.0), row("pairs", 62, 8.0, 3.0)]);
    }
}

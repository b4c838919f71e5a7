//! The simulator as the three trading collectors: only for demonstrations, and labelled as such.

use std::time::Duration;

use super::Restored;
use super::drive::{Collect, CollectError, Component, Report};
use super::source::simulator::Simulator;
use crate::config::DemoSettings;
use crate::live::{Connection, Live};
use crate::tables::{EXECUTION_METRICS, ExecutionMetricsRow, MARKET_DATA, STRATEGY_METRICS, StrategyMetricsRow};
use crate::tables::{TRADES, TradeRow};
use crate::time::{Micros, SECOND};

/// Shortest time between two rounds: at higher rates a round holds several ticks.
const SHORTEST_ROUND: Duration = Duration::from_millis(100);

/// Plays the market in step with the clock.
pub(super) struct Demo {
    settings: DemoSettings,
    interval: Duration,
    restored: Restored,
    simulator: Option<Simulator>,
}

impl Demo {
    /// The desk looks at the market every `interval`. The market opens with the first round.
    pub(super) fn new(settings: DemoSettings, interval: Duration, restored: Restored) -> Self {
        Self { settings, interval, restored, simulator: None }
    }

    /// Time between two rounds: a part of that between two ticks, so that a tick is played soon after it is due.
    pub(super) fn round_interval(&self) -> Duration {
        let tick = Duration::try_from_secs_f64(1.0 / self.settings.rate).unwrap_or(self.interval);
        (tick.min(self.interval) / 4).max(SHORTEST_ROUND)
    }

    /// How far the simulation may be behind before it leaves out what it missed: time is lost rather than memory.
    fn patience(&self) -> Micros {
        Micros::try_from(self.round_interval().as_micros()).unwrap_or(SECOND).saturating_mul(2).saturating_add(SECOND)
    }
}

impl Collect for Demo {
    fn components(&self) -> &'static [Component] {
        &[Component::MarketData, Component::Strategy, Component::Execution]
    }

    fn source(&self) -> String {
        format!("simulator (demo, seed {})", self.settings.seed)
    }

    async fn observe(&mut self, live: &Live, now: Micros) -> Result<Vec<Report>, CollectError> {
        let patience = self.patience();
        let simulator = self.simulator.get_or_insert_with(|| {
            let desk_period = Micros::try_from(self.interval.as_micros()).unwrap_or(SECOND);
            Simulator::new(&self.settings, desk_period, now, &self.restored)
        });
        simulator.come_back_to(now);
        if simulator.skip_before(now.saturating_sub(patience)) {
            tracing::warn!("the simulation fell behind the clock and left out what it missed: ask for a lower rate");
        }
        let played = simulator.advance(now)?;
        if !played.market_data.is_empty() {
            live.set_market_data(simulator.market_section(now));
        }
        if !played.execution.is_empty() {
            live.set_strategy(simulator.strategy_section(now));
            live.set_execution(simulator.execution_section(now));
        }
        let report = |component, batches| Report { component, connection: Connection::Simulated, batches };
        Ok(vec![
            report(Component::MarketData, played.market_data.into_iter().map(|batch| (&MARKET_DATA, batch)).collect()),
            report(Component::Strategy, vec![(&STRATEGY_METRICS, StrategyMetricsRow::batch(&played.strategies)?)]),
            report(
                Component::Execution,
                vec![
                    (&EXECUTION_METRICS, ExecutionMetricsRow::batch(&played.execution)?),
                    (&TRADES, TradeRow::batch(&played.trades)?),
                ],
            ),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_round_fills_the_three_sections_and_says_that_they_are_simulated() {
        let mut demo = Demo::new(DemoSettings::default(), Duration::from_secs(1), Restored::default());
        let live = Live::new();
        let reports = demo.observe(&live, 1_000 * SECOND).await.unwrap();
        assert!(reports.iter().all(|report| report.connection == Connection::Simulated));
        assert_eq!(reports[0].batches[0].1.num_rows(), 8);
        assert!(demo.source().contains("demo"));
        let snapshot = live.snapshot();
        assert_eq!(snapshot.market_data.values.symbols_tracked, 8);
        assert_eq!(snapshot.strategy.values.strategies.len(), 3);
        assert_eq!(snapshot.execution.values.timestamp, 1_000 * SECOND);
    }

    #[test]
    fn rounds_keep_up_with_the_rate_but_are_never_too_short() {
        let every = |rate| {
            let settings = DemoSettings { rate, ..DemoSettings::default() };
            Demo::new(settings, Duration::from_secs(1), Restored::default()).round_interval()
        };
        assert_eq!(every(1.0), Duration::from_millis(250));
        assert_eq!(every(2.0), Duration::from_millis(125));
        assert_eq!(every(500.0), SHORTEST_ROUND);
        assert_eq!(every(0.1), Duration::from_millis(250));
    }
}

//! Runs one collector, round by round, until the server stops.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use futures::FutureExt;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::clock::Clock;
use crate::batch::{BatchSender, WriteError};
use crate::live::{Collector, Connection, Live};
use crate::tables::Table;
use crate::time::{self, Micros};

/// Something that looks at its source once a round.
pub(super) trait Collect: Send + 'static {
    /// The components in whose name it reports.
    fn components(&self) -> &'static [Component];

    /// Where its values come from, for a person.
    fn source(&self) -> String;

    /// Looks, updates the live sections, and gives one report for each component.
    ///
    /// All rows of the round carry `now`, or times between the last round and `now`. The round may be dropped at any
    /// `await` when the server stops.
    fn observe(&mut self, live: &Live, now: Micros) -> impl Future<Output = Result<Vec<Report>, CollectError>> + Send;
}

/// What a round found.
pub(super) struct Report {
    /// In whose name.
    pub(super) component: Component,
    /// Whether the source answered.
    pub(super) connection: Connection,
    /// Rows for the store.
    pub(super) batches: Vec<(&'static Table, RecordBatch)>,
}

/// One of the four components of the live state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Component {
    MarketData,
    Strategy,
    Execution,
    System,
}

impl Component {
    /// Its account in the live state.
    pub(super) fn of(self, live: &Live) -> &Collector {
        match self {
            Self::MarketData => &live.components.market_data,
            Self::Strategy => &live.components.strategy,
            Self::Execution => &live.components.execution,
            Self::System => &live.components.system,
        }
    }
}

/// Why a round came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CollectError {
    /// The rows do not fit their table.
    #[error("the rows do not fit their table: {0}")]
    Rows(#[from] ArrowError),
    /// The store did not take the rows.
    #[error(transparent)]
    Store(#[from] WriteError),
    /// Work on another thread did not finish.
    #[error("the work of the round did not finish: {0}")]
    Unfinished(#[from] tokio::task::JoinError),
    /// A round was broken off while its samples were taken in.
    #[error("an earlier round was broken off")]
    Abandoned,
}

/// What every collector runs with.
#[derive(Clone)]
pub(super) struct Drive {
    /// Time between the beginnings of two rounds.
    pub(super) every: Duration,
    /// Where the newest values go.
    pub(super) live: Arc<Live>,
    /// Where rows go.
    pub(super) batches: BatchSender,
    /// When to stop.
    pub(super) shutdown: CancellationToken,
    /// Pauses after rounds that failed.
    pub(super) backoff: Backoff,
}

impl Drive {
    /// Rounds until shutdown. A round that fails or panics is counted and logged, and the collector goes on after a
    /// pause that grows while it keeps failing. Rows that a round has made are handed over even while stopping.
    pub(super) async fn run(self, mut collector: impl Collect) {
        let (names, source) = (collector.components(), collector.source());
        accounts(&self.live, names).for_each(|account| account.started(&source));
        tracing::info!(collectors = ?names, source, "collecting");

        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut clock, mut backoff) = (Clock::default(), self.backoff.clone());
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                _ = ticks.tick() => {}
            }
            let observed = AssertUnwindSafe(collector.observe(&self.live, clock.stamp(time::now()))).catch_unwind();
            let observed = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                observed = observed => observed,
            };
            let outcome = match observed {
                Ok(Ok(reports)) => self.deliver(reports).await.map_err(|error| error.to_string()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(panic) => Err(format!("the collector broke off: {}", words(panic.as_ref()))),
            };
            match outcome {
                Ok(()) => backoff.reset(),
                Err(_) if self.shutdown.is_cancelled() => break,
                Err(error) => {
                    tracing::error!(collectors = ?names, error, "a collector's round failed");
                    accounts(&self.live, names).for_each(|account| account.failed(error.clone()));
                    tokio::select! {
                        () = self.shutdown.cancelled() => break,
                        () = tokio::time::sleep(backoff.next_delay()) => {}
                    }
                }
            }
        }
        accounts(&self.live, names).for_each(Collector::stopped);
    }

    async fn deliver(&self, reports: Vec<Report>) -> Result<(), WriteError> {
        for report in reports {
            let mut rows = 0;
            for (table, batch) in report.batches {
                let count = batch.num_rows() as u64;
                if count > 0 {
                    self.batches.send(table, batch).await?;
                    rows += count;
                }
            }
            report.component.of(&self.live).finished_round(report.connection, rows);
        }
        Ok(())
    }
}

fn accounts<'a>(live: &'a Live, components: &'static [Component]) -> impl Iterator<Item = &'a Collector> {
    components.iter().map(move |component| component.of(live))
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch;
    use crate::tables::{SYSTEM_METRICS, SystemMetricsRow};

    /// Panics in its first round, fails in the second, and works from the third on.
    struct Stumbling {
        round: usize,
    }

    impl Collect for Stumbling {
        fn components(&self) -> &'static [Component] {
            &[Component::System]
        }

        fn source(&self) -> String {
            "test".into()
        }

        async fn observe(&mut self, _: &Live, now: Micros) -> Result<Vec<Report>, CollectError> {
            self.round += 1;
            match self.round {
                1 => panic!("stumbled"),
                2 => Err(WriteError::Rejected("not today".into()).into()),
                _ => {
                    let batch = SystemMetricsRow::batch(&[SystemMetricsRow {
                        timestamp: now,
                        cpu_percent: None,
                        memory_percent: None,
                        disk_usage_percent: None,
                        uptime_seconds: None,
                        health_status: None,
                        active_alerts: None,
                    }])?;
                    let batches = vec![(&SYSTEM_METRICS, batch)];
                    Ok(vec![Report { component: Component::System, connection: Connection::Connected, batches }])
                }
            }
        }
    }

    #[tokio::test]
    async fn a_collector_survives_panics_and_errors_and_stops_when_told() {
        let live = Arc::new(Live::new());
        let (batches, mut receiver) = batch::channel(1 << 20);
        let shutdown = CancellationToken::new();
        let millisecond = Duration::from_millis(1);
        let drive = Drive {
            every: millisecond,
            live: live.clone(),
            batches,
            shutdown: shutdown.clone(),
            backoff: Backoff::new(millisecond, millisecond),
        };
        let task = tokio::spawn(drive.run(Stumbling { round: 0 }));

        let write = receiver.recv().await.unwrap();
        assert_eq!(write.table.name, SYSTEM_METRICS.name);
        receiver.recv().await.unwrap();
        let system = &live.components.system;
        assert_eq!(system.errors(), 2);
        assert!(system.collected() >= 1);
        assert_eq!(system.state().connection, Connection::Connected);

        shutdown.cancel();
        task.await.unwrap();
        assert!(system.state().running_since.is_none());
    }
}

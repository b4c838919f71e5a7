//! Where rows come from when nobody pushes them: four collectors, once a second by default.
//!
//! * `drive` runs a collector: rounds, errors and panics survived, rows handed to the store, orderly stop.
//! * `scraped` makes a collector of a Prometheus endpoint and something that understands its metrics: `market_data`,
//!   `strategy` and `execution`, by the names that [`mapping`](crate::config::mapping) gives.
//! * `system` looks at the machine.
//! * `demo` plays the three trading collectors with the simulator, and only when asked for.
//! * `source` holds what they draw from: `prometheus` fetches and parses, `simulator` invents.
//! * `labels` keeps what is known of each symbol or strategy while its service speaks of it, `last_values` the last value of
//!   each series. `counter` turns totals into increments, `preferred` chooses among metrics, `order_day` adds up a day's orders,
//!   `clock` keeps timestamps rising, `backoff` spaces attempts.

mod backoff;
mod clock;
mod counter;
mod demo;
mod drive;
mod execution;
mod labels;
mod last_values;
mod market_data;
mod order_day;
mod preferred;
mod scraped;
mod source;
mod strategy;
mod system;

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::batch::BatchSender;
use crate::config::{CollectSettings, StoreSettings};
use crate::live::Live;
use crate::tables::{ExecutionMetricsRow, StrategyMetricsRow};
use crate::time::Micros;

use backoff::Backoff;
use demo::Demo;
use drive::Drive;
use execution::Execution;
use market_data::MarketData;
use scraped::Scraped;
use source::prometheus::Endpoint;
use strategy::Strategy;
use system::System;

/// What was stored before this start, from which daily figures go on.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// The newest row of `execution_metrics`, of whatever day: a row of an earlier day is not carried over.
    pub execution: Option<ExecutionMetricsRow>,
    /// The newest row of each strategy, of whatever day. One of today says how much of its profit is today's; the
    /// profit of an earlier one is where today began.
    pub strategies: Vec<StrategyMetricsRow>,
}

/// Starts the collectors; they run until `shutdown`, and each hands over its last rows before its task ends.
///
/// With [`CollectSettings::demo`] the three trading collectors are one simulator. The disk that is watched is the one
/// that holds [`StoreSettings::path`].
pub fn spawn(
    settings: &CollectSettings,
    store: &StoreSettings,
    live: Arc<Live>,
    batches: BatchSender,
    restored: Restored,
    shutdown: CancellationToken,
) -> JoinSet<()> {
    let drive = Drive { every: settings.interval, live, batches, shutdown, backoff: Backoff::default() };
    let mut tasks = JoinSet::new();
    tasks.spawn(drive.clone().run(System::new(store.path.clone())));
    if let Some(demo) = &settings.demo {
        tracing::warn!(seed = demo.seed, "demo: prices, orders and trades are simulated, none of them is real");
        let demo = Demo::new(demo.clone(), settings.interval, restored);
        let drive = Drive { every: demo.round_interval(), ..drive };
        tasks.spawn(drive.run(demo));
    } else {
        let endpoint = |url: &str| Endpoint::new(url, settings.scrape_timeout);
        let expiry = Micros::try_from(settings.label_expiry.as_micros()).unwrap_or(Micros::MAX);
        let market_data = MarketData::new(settings.mapping.market_data.clone(), expiry);
        let strategy = Strategy::new(settings.mapping.strategy.clone(), restored.strategies, expiry);
        let execution = Execution::new(settings.mapping.execution.clone(), restored.execution, expiry);
        tasks.spawn(drive.clone().run(Scraped::new(endpoint(&settings.market_data_url), market_data)));
        tasks.spawn(drive.clone().run(Scraped::new(endpoint(&settings.risk_url), strategy)));
        tasks.spawn(drive.run(Scraped::new(endpoint(&settings.execution_url), execution)));
    }
    tasks
}

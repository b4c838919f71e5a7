//! Collectors, from the desk's own services to the API.
//!
//! `scraped` serves Prometheus text on loopback and looks at the rows that come of it, `absent` at what happens while a
//! service is down, `expiry` at labels that come and go, `demo` at the simulator, `machine` at the collector of the machine itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod absent;
mod demo;
mod expiry;
mod machine;
mod scraped;

use common::{Exporter, Launch, Server};

/// The market data service of a desk with two symbols.
fn market_data(price: f64, volume: u64, ticks: u64) -> String {
    format!(
        "# HELP market_data_price Last price\n\
         # TYPE market_data_price gauge\n\
         market_data_price{{symbol=\"AAPL\"}} {price}\n\
         market_data_price{{symbol=\"TSLA\"}} 242.5\n\
         # TYPE market_data_volume_total counter\n\
         market_data_volume_total{{symbol=\"AAPL\"}} {volume}\n\
         market_data_volume_total{{symbol=\"TSLA\"}} 10\n\
         # TYPE market_data_ticks_received_total counter\n\
         market_data_ticks_received_total{{symbol=\"AAPL\"}} {ticks}\n\
         # TYPE market_data_ticks_processed_total counter\n\
         market_data_ticks_processed_total{{symbol=\"AAPL\"}} {ticks}\n\
         # TYPE market_data_orderbook_depth gauge\n\
         market_data_orderbook_depth{{symbol=\"AAPL\"}} 25\n\
         # TYPE market_data_processing_latency_ms histogram\n\
         market_data_processing_latency_ms_bucket{{le=\"+Inf\"}} 3\n\
         market_data_processing_latency_ms_sum 1.5\n\
         market_data_processing_latency_ms_count 3\n"
    )
}

/// The execution service, with so many orders and `fills` of 2 ms and 0.5 bps each.
fn execution(submitted: u64, fills: u64) -> String {
    format!(
        "# TYPE execution_orders_submitted_total counter\n\
         execution_orders_submitted_total{{symbol=\"AAPL\",side=\"buy\"}} {submitted}\n\
         # TYPE execution_orders_filled_total counter\n\
         execution_orders_filled_total{{symbol=\"AAPL\",side=\"buy\"}} {fills}\n\
         # TYPE execution_orders_rejected_total counter\n\
         execution_orders_rejected_total{{reason=\"limit\"}} 0\n\
         # TYPE execution_orders_cancelled_total counter\n\
         execution_orders_cancelled_total{{symbol=\"AAPL\"}} 0\n\
         # TYPE execution_last_fill_price gauge\n\
         execution_last_fill_price{{symbol=\"AAPL\"}} 150.5\n\
         # TYPE execution_fill_latency_ms histogram\n\
         execution_fill_latency_ms_bucket{{symbol=\"AAPL\",le=\"+Inf\"}} {fills}\n\
         execution_fill_latency_ms_sum{{symbol=\"AAPL\"}} {}\n\
         execution_fill_latency_ms_count{{symbol=\"AAPL\"}} {fills}\n\
         # TYPE execution_slippage_bps histogram\n\
         execution_slippage_bps_bucket{{symbol=\"AAPL\",le=\"+Inf\"}} {fills}\n\
         execution_slippage_bps_sum{{symbol=\"AAPL\"}} {}\n\
         execution_slippage_bps_count{{symbol=\"AAPL\"}} {fills}\n",
        fills as f64 * 2.0,
        fills as f64 * 0.5,
    )
}

/// The risk service, with so much realised profit.
fn risk(realized: f64) -> String {
    format!(
        "# TYPE risk_position_count gauge\n\
         risk_position_count 3\n\
         # TYPE risk_position_size gauge\n\
         risk_position_size{{symbol=\"AAPL\"}} 100\n\
         # TYPE risk_pnl_unrealized gauge\n\
         risk_pnl_unrealized{{symbol=\"AAPL\"}} 10.5\n\
         risk_pnl_unrealized{{symbol=\"TSLA\"}} -4.5\n\
         # TYPE risk_pnl_realized gauge\n\
         risk_pnl_realized {realized}\n\
         # TYPE risk_limit_breaches_total counter\n\
         risk_limit_breaches_total 0\n"
    )
}

/// The three services, and a server that scrapes them.
struct Desk {
    market_data: Exporter,
    execution: Exporter,
    risk: Exporter,
    server: Server,
}

impl Desk {
    async fn start() -> Self {
        let market_data = Exporter::start(&market_data(150.25, 1_000, 100)).await;
        let execution = Exporter::start(&execution(0, 0)).await;
        let risk = Exporter::start(&risk(100.0)).await;
        let urls = [market_data.url(), execution.url(), risk.url()];
        let server = Launch::new().desk(urls).start().await;
        Self { market_data, execution, risk, server }
    }
}

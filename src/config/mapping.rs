//! Which metric of the desk's services serves which column: defaults here, changes under `[collect.mapping]` of the
//! settings file.
//!
//! ```toml
//! [collect.mapping.market_data]
//! last_price = "desk_last_trade_price"            # one name,
//! trades = ["desk_ticks_total", "*ticks_seen*"]   # or several, the best first; `*` stands for any text
//! ```

use serde::Deserialize;

/// The three services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    /// The market data service, to `market_data`.
    pub market_data: MarketDataMapping,
    /// The execution service, to `execution_metrics`.
    pub execution: ExecutionMapping,
    /// The risk service, to `strategy_metrics`.
    pub strategy: StrategyMapping,
}

/// Metrics of the market data service. Counters and gauges of one symbol make one row.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MarketDataMapping {
    /// Label that holds the symbol.
    pub symbol_label: String,
    /// Symbol of samples without that label.
    pub unlabelled_symbol: String,
    /// Gauges for `bid`.
    pub bid: Names,
    /// Gauges for `ask`.
    pub ask: Names,
    /// Gauges for `last_price`.
    pub last_price: Names,
    /// Counters for `volume`.
    pub volume: Names,
    /// Counters for `trades`.
    pub trades: Names,
    /// Metrics that are known and have no column.
    pub without_column: Names,
}

/// Metrics of the execution service. Samples are added up over their labels.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExecutionMapping {
    /// Counters for `orders_submitted`.
    pub orders_submitted: Names,
    /// Counters for `orders_filled`.
    pub orders_filled: Names,
    /// Counters for `orders_cancelled`.
    pub orders_cancelled: Names,
    /// Counters for `orders_rejected`.
    pub orders_rejected: Names,
    /// Histograms or summaries for `avg_latency_ms`, without `_sum` and `_count`.
    pub latency_ms: Names,
    /// Histograms or summaries for `avg_slippage_bps`, without `_sum` and `_count`.
    pub slippage_bps: Names,
    /// Gauge that tells when the service started, in Unix seconds.
    pub service_start: Names,
    /// Metrics that are known and have no column.
    pub without_column: Names,
}

/// Metrics of the risk service. Samples of one strategy make one row.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StrategyMapping {
    /// Label that holds the strategy's name, where the desk has one.
    pub strategy_label: String,
    /// Name of the strategy that samples without that label belong to.
    pub unlabelled_strategy: String,
    /// Gauges for the realised part of `pnl`, added up over their other labels.
    pub realized: Names,
    /// Gauges for the unrealised part of `pnl`, added up over their other labels.
    pub unrealized: Names,
    /// Gauges for `positions`.
    pub positions: Names,
    /// Gauges with the size of each position: those that are not zero are counted where `positions` has no gauge.
    pub position_size: Names,
    /// Counters for `signals`.
    pub signals: Names,
    /// Gauges for `win_rate`, 0 to 1.
    pub win_rate: Names,
    /// Gauge that tells when the service started, in Unix seconds.
    pub service_start: Names,
    /// Metrics that are known and have no column.
    pub without_column: Names,
}

/// Metric names in order of preference. `*` stands for any text, also for none, but in names that end in `_created`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Names(Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Names {
    fn from(names: OneOrMany) -> Self {
        match names {
            OneOrMany::One(name) => Self(vec![name]),
            OneOrMany::Many(names) => Self(names),
        }
    }
}

impl Names {
    fn new<const N: usize>(names: [&str; N]) -> Self {
        Self(names.map(str::to_owned).to_vec())
    }

    /// Where `metric` stands in the order of preference. A name that stands there in full takes any metric; one with
    /// `*` may take the wrong thing, and takes only what is `plausible`.
    pub(crate) fn rank(&self, metric: &str, plausible: bool) -> Option<Rank> {
        let position = self.0.iter().position(|name| matches(name, metric) && (plausible || name == metric))?;
        Some(Rank { position, exact: self.0.get(position).is_some_and(|name| name == metric) })
    }
}

/// How well a metric fits a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rank {
    /// Position in the order of preference, 0 the best.
    pub(crate) position: usize,
    /// Whether the name was given in full.
    pub(crate) exact: bool,
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, mut pattern)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut rest) = name.strip_prefix(head) else { return false };
    while let Some((part, further)) = pattern.split_once('*') {
        let Some((_, after)) = rest.split_once(part) else { return false };
        (pattern, rest) = (further, after);
    }
    rest.ends_with(pattern)
}

impl Default for MarketDataMapping {
    fn default() -> Self {
        Self {
            symbol_label: "symbol".into(),
            unlabelled_symbol: "UNKNOWN".into(),
            bid: Names::new(["market_data_bid", "market_data_bid_price", "market_data_best_bid", "*bid_price*"]),
            ask: Names::new(["market_data_ask", "market_data_ask_price", "market_data_best_ask", "*ask_price*"]),
            last_price: Names::new(["market_data_price", "*price*"]),
            volume: Names::new(["market_data_volume_total"]),
            trades: Names::new([
                "market_data_ticks_received_total",
                "market_data_ticks_processed_total",
                "*ticks_received*",
                "*ticks_processed*",
            ]),
            without_column: Names::new([
                "market_data_orderbook_depth",
                "market_data_websocket_connected",
                "market_data_message_queue_size",
                "market_data_processing_latency_ms*",
            ]),
        }
    }
}

impl Default for ExecutionMapping {
    fn default() -> Self {
        Self {
            orders_submitted: Names::new(["execution_orders_submitted_total"]),
            orders_filled: Names::new(["execution_orders_filled_total"]),
            orders_cancelled: Names::new(["execution_orders_cancelled_total"]),
            orders_rejected: Names::new(["execution_orders_rejected_total"]),
            latency_ms: Names::new(["execution_fill_latency_ms"]),
            slippage_bps: Names::new(["execution_slippage_bps"]),
            service_start: Names::new(["process_start_time_seconds"]),
            without_column: Names::new([
                "execution_last_fill_price",
                "execution_fill_latency_ms_bucket",
                "execution_slippage_bps_bucket",
            ]),
        }
    }
}

impl Default for StrategyMapping {
    fn default() -> Self {
        Self {
            strategy_label: "strategy".into(),
            unlabelled_strategy: "desk".into(),
            realized: Names::new(["risk_pnl_realized"]),
            unrealized: Names::new(["risk_pnl_unrealized"]),
            positions: Names::new(["risk_position_count"]),
            position_size: Names::new(["risk_position_size"]),
            signals: Names::new(["risk_signals_total", "strategy_signals_total"]),
            win_rate: Names::new(["risk_win_rate", "strategy_win_rate"]),
            service_start: Names::new(["process_start_time_seconds"]),
            without_column: Names::new(["risk_total_exposure", "risk_max_drawdown", "risk_limit_breaches_total"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("price", "price", true),
            ("price", "last_price", false),
            ("*price*", "price", true),
            ("*price*", "desk_price_usd", true),
            ("desk_*_total", "desk_ticks_total", true),
            ("desk_*_total", "desk_total", false),
            ("*_total", "total_ticks", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn only_a_full_name_takes_an_implausible_metric() {
        let names = Names::new(["desk_price", "*price*"]);
        assert_eq!(names.rank("desk_price", false), Some(Rank { position: 0, exact: true }));
        assert_eq!(names.rank("other_price", true), Some(Rank { position: 1, exact: false }));
        assert_eq!(names.rank("price_updates_total", false), None);
    }

    #[test]
    fn a_settings_file_replaces_what_it_names_and_keeps_the_rest() {
        let mapping: Mapping = toml::from_str(
            "[market_data]\nlast_price = \"last\"\ntrades = [\"a\", \"b\"]\n[strategy]\nunlabelled_strategy = \"all\"",
        )
        .unwrap();
        assert_eq!(mapping.market_data.last_price, Names::new(["last"]));
        assert_eq!(mapping.market_data.trades, Names::new(["a", "b"]));
        assert_eq!(mapping.market_data.volume, MarketDataMapping::default().volume);
        assert_eq!(mapping.strategy.unlabelled_strategy, "all");
        assert_eq!(mapping.execution, ExecutionMapping::default());
        assert!(toml::from_str::<Mapping>("[market_data]\nlast_prise = \"x\"").is_err());
    }
}

//! The four sections of `/api/metrics/current` and of a WebSocket frame; fields in the order of the wire.
//!
//! Objects keyed by symbol or strategy keep the order of first appearance.

use serde::{Serialize, Serializer};

use crate::time::{self, Micros};

/// Market data of every symbol.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MarketDataSection {
    /// When the section was made.
    #[serde(serialize_with = "naive")]
    pub timestamp: Micros,
    /// Latest values by symbol, in order of first appearance.
    #[serde(serialize_with = "as_object")]
    pub symbols: Vec<(String, SymbolValues)>,
    /// Trades of all symbols since midnight UTC or the start of the source.
    pub total_trades: i64,
    /// Traded value: units times price, summed over symbols.
    pub total_volume: f64,
    /// Number of symbols.
    pub symbols_tracked: usize,
}

/// Latest values of one symbol. `volume` and `trades` are running totals here, increments in the stored rows.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SymbolValues {
    /// Last traded price.
    pub last_price: f64,
    /// Best bid, 0 where the source has none.
    pub bid: f64,
    /// Best ask, 0 where the source has none.
    pub ask: f64,
    /// Units traded so far.
    pub volume: i64,
    /// Trades, or ticks, so far.
    pub trades: i64,
}

/// Every strategy.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StrategySection {
    /// When the section was made.
    #[serde(serialize_with = "naive")]
    pub timestamp: Micros,
    /// Latest values by strategy, in order of first appearance.
    #[serde(serialize_with = "as_object")]
    pub strategies: Vec<(String, StrategyValues)>,
    /// Sum of `pnl`.
    pub total_pnl: f64,
    /// Sum of `daily_pnl`.
    pub daily_pnl: f64,
    /// Sum of `positions`.
    pub open_positions: i64,
    /// Sum of `signals`.
    pub signals_generated: i64,
}

/// Latest values of one strategy.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StrategyValues {
    /// Profit and loss since the strategy began.
    pub pnl: f64,
    /// Profit and loss since midnight UTC.
    pub daily_pnl: f64,
    /// Open positions.
    pub positions: i64,
    /// Signals since midnight UTC.
    pub signals: i64,
    /// Winning share of closed trades, 0 to 1.
    pub win_rate: f64,
}

/// Orders since midnight UTC.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ExecutionSection {
    /// When the section was made.
    #[serde(serialize_with = "naive")]
    pub timestamp: Micros,
    /// Orders submitted.
    pub orders_today: i64,
    /// Orders filled.
    pub fills_today: i64,
    /// Orders cancelled.
    pub cancelled: i64,
    /// Orders rejected.
    pub rejected: i64,
    /// Filled share of submitted orders, 0 to 1.
    pub fill_rate: f64,
    /// Mean time from order to fill.
    pub avg_latency_ms: f64,
    /// Mean slippage.
    pub avg_slippage_bps: f64,
}

/// The machine.
#[derive(Debug, Clone, Serialize)]
pub struct SystemSection {
    /// When the section was made.
    #[serde(serialize_with = "naive")]
    pub timestamp: Micros,
    /// Load of all processors, one decimal.
    pub cpu_percent: f64,
    /// Memory in use, one decimal.
    pub memory_percent: f64,
    /// Space in use on the database's disk, one decimal.
    pub disk_usage_percent: f64,
    /// Seconds since the server started.
    pub uptime: f64,
    /// `healthy`, `degraded` or `unhealthy`.
    pub health: &'static str,
    /// Alerts that are raised now.
    pub active_alerts: usize,
}

impl Default for SystemSection {
    fn default() -> Self {
        Self {
            timestamp: 0,
            cpu_percent: 0.0,
            memory_percent: 0.0,
            disk_usage_percent: 0.0,
            uptime: 0.0,
            health: "healthy",
            active_alerts: 0,
        }
    }
}

fn naive<S: Serializer>(instant: &Micros, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time::format_naive(*instant))
}

fn as_object<S: Serializer, T: Serialize>(entries: &[(String, T)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().map(|(name, values)| (name, values)))
}

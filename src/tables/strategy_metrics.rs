//! How each strategy is doing.

use super::declare::declare_table;

declare_table! {
    /// Profit, positions and signals of each strategy, once a second.
    STRATEGY_METRICS, StrategyMetricsRow, "strategy_metrics",
    "Profit, positions and signals of each strategy, once a second.",
    key: ["timestamp", "strategy_name"], label: Some("strategy_name"),
    columns: {
        timestamp: Timestamp required, "When the values were observed, naive UTC.";
        strategy_name: Text required, "The strategy.";
        pnl: Double nullable, "Profit and loss since the strategy began, in account currency.";
        daily_pnl: Double nullable, "Profit and loss since midnight UTC, in account currency.";
        positions: Integer nullable, "Open positions.";
        signals: Integer nullable, "Signals given since midnight UTC.";
        win_rate: Double nullable, "Winning share of closed trades, 0 to 1.";
    }
}

/// Columns that a source may not know, and that legacy clients read as numbers all the same.
pub const ALWAYS_NUMBERS: &[&str] = &["pnl", "daily_pnl", "positions", "signals", "win_rate"];

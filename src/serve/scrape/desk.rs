//! The newest values of the desk.

use super::AppState;
use crate::live::{StrategyValues, SymbolValues};
use crate::metrics::{Exposition, one};

/// Symbols, and strategies, that have series of their own: a monitoring system pays for each of them for ever.
const MOST_SERIES: usize = 500;

/// The families of the desk. The first [`MOST_SERIES`] symbols and strategies are told, the others counted.
pub fn describe(state: &AppState, text: &mut Exposition) {
    let live = state.live.snapshot();
    symbols(&live.market_data.values.symbols, text);
    strategies(&live.strategy.values.strategies, text);

    let execution = &live.execution.values;
    text.gauge(
        "observability_orders_today",
        "Orders since midnight UTC, by what became of them.",
        [
            ([("state", "submitted")], execution.orders_today as f64),
            ([("state", "filled")], execution.fills_today as f64),
            ([("state", "cancelled")], execution.cancelled as f64),
            ([("state", "rejected")], execution.rejected as f64),
        ],
    );
    text.gauge("observability_fill_ratio", "Filled part of submitted orders, 0 to 1.", one(execution.fill_rate));
    let latency = execution.avg_latency_ms / 1e3;
    text.gauge("observability_order_latency_seconds", "Mean time from order to fill.", one(latency));
    let slippage = execution.avg_slippage_bps / 1e4;
    text.gauge("observability_slippage_ratio", "Mean slippage, as part of the price.", one(slippage));

    let machine = &live.system.values;
    text.gauge(
        "observability_machine_usage_ratio",
        "Parts of the machine that are in use, 0 to 1.",
        [
            ([("resource", "cpu")], machine.cpu_percent / 1e2),
            ([("resource", "memory")], machine.memory_percent / 1e2),
            ([("resource", "disk")], machine.disk_usage_percent / 1e2),
        ],
    );
}

fn symbols(symbols: &[(String, SymbolValues)], text: &mut Exposition) {
    let each = |value: fn(&SymbolValues) -> f64| {
        symbols.iter().take(MOST_SERIES).map(move |(symbol, values)| ([("symbol", symbol.as_str())], value(values)))
    };
    text.gauge("observability_last_price", "Price of the last trade.", each(|values| values.last_price));
    text.gauge("observability_bid_price", "Best bid; 0 where there is none.", each(|values| values.bid));
    text.gauge("observability_ask_price", "Best ask; 0 where there is none.", each(|values| values.ask));
    text.gauge("observability_traded_units", "Units traded so far today.", each(|values| values.volume as f64));
    text.gauge("observability_symbols", "Symbols seen.", one(symbols.len() as f64));
    let left_out = symbols.len().saturating_sub(MOST_SERIES) as f64;
    text.gauge("observability_symbols_left_out", "Symbols beyond those that are told here.", one(left_out));
}

fn strategies(strategies: &[(String, StrategyValues)], text: &mut Exposition) {
    let each = |value: fn(&StrategyValues) -> f64| {
        strategies.iter().take(MOST_SERIES).map(move |(name, values)| ([("strategy", name.as_str())], value(values)))
    };
    text.gauge("observability_pnl", "Profit and loss since the strategy began.", each(|values| values.pnl));
    text.gauge("observability_daily_pnl", "Profit and loss since midnight UTC.", each(|values| values.daily_pnl));
    text.gauge("observability_open_positions", "Open positions.", each(|values| values.positions as f64));
    text.gauge("observability_signals_today", "Signals since midnight UTC.", each(|values| values.signals as f64));
    text.gauge("observability_strategies", "Strategies seen.", one(strategies.len() as f64));
    let left_out = strategies.len().saturating_sub(MOST_SERIES) as f64;
    text.gauge("observability_strategies_left_out", "Strategies beyond those that are told here.", one(left_out));
}

//! Every fill.

use super::declare::declare_table;

declare_table! {
    /// One row a fill.
    TRADES, TradeRow, "trades",
    "One row a fill.",
    key: ["trade_id"], label: Some("symbol"),
    columns: {
        trade_id: Text required, "Opaque identifier, unique.";
        timestamp: Timestamp required, "When the order was filled, naive UTC.";
        symbol: Text required, "The instrument.";
        side: Text required, "buy or sell, as the source spells it.";
        quantity: Double required, "Units filled.";
        price: Double required, "Fill price, in quote currency.";
        latency_ms: Double nullable, "Time from order to fill, in milliseconds.";
        slippage_bps: Double nullable, "Slippage against the price at decision, in basis points.";
        strategy: Text nullable, "The strategy that sent the order.";
    }
}

/// Columns of whole units that are stored as floats, because a source may deal in fractions.
pub const WHOLE_UNITS: &[&str] = &["quantity"];

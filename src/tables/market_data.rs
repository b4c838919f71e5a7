//! What the desk sees of each symbol's market.

use super::declare::declare_table;

declare_table! {
    /// Prices, activity and spread of each symbol, once a second.
    MARKET_DATA, MarketDataRow, "market_data",
    "Prices, activity and spread of each symbol, once a second.",
    key: ["timestamp", "symbol"], label: Some("symbol"),
    columns: {
        timestamp: Timestamp required, "When the values were observed, naive UTC.";
        symbol: Text required, "The instrument.";
        last_price: Double nullable, "Last traded price, in quote currency.";
        bid: Double nullable, "Best bid, in quote currency.";
        ask: Double nullable, "Best ask, in quote currency.";
        volume: BigInt nullable, "Units traded since this symbol's previous row.";
        trades: Integer nullable, "Trades, or ticks where the source counts those, since this symbol's previous row.";
        spread_bps: Double nullable, "(ask - bid) / last_price, in basis points.";
    }
}

//! Rows of `market_data`, gathered column by column: at high rates a row of its own for each would be most of the work.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringBuilder, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use crate::tables::MARKET_DATA;
use crate::time::Micros;

/// Columns in the order of the table.
#[derive(Default)]
pub(super) struct Ticks {
    timestamps: Vec<Micros>,
    symbols: StringBuilder,
    last_prices: Vec<f64>,
    bids: Vec<f64>,
    asks: Vec<f64>,
    volumes: Vec<i64>,
    trades: Vec<i32>,
    spreads: Vec<f64>,
}

/// One symbol's values.
pub(super) struct Tick {
    pub(super) last_price: f64,
    pub(super) bid: f64,
    pub(super) ask: f64,
    /// Since the symbol's previous tick.
    pub(super) volume: i64,
    /// Since the symbol's previous tick.
    pub(super) trades: u32,
}

impl Ticks {
    /// Rows so far.
    pub(super) fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// One more row.
    pub(super) fn push(&mut self, timestamp: Micros, symbol: &str, tick: Tick) {
        self.timestamps.push(timestamp);
        self.symbols.append_value(symbol);
        self.last_prices.push(tick.last_price);
        self.bids.push(tick.bid);
        self.asks.push(tick.ask);
        self.volumes.push(tick.volume);
        self.trades.push(i32::try_from(tick.trades).unwrap_or(i32::MAX));
        self.spreads.push((tick.ask - tick.bid) / tick.last_price * 10_000.0);
    }

    /// The rows as one batch of the table.
    pub(super) fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampMicrosecondArray::from(self.timestamps)),
            Arc::new(self.symbols.finish()),
            Arc::new(Float64Array::from(self.last_prices)),
            Arc::new(Float64Array::from(self.bids)),
            Arc::new(Float64Array::from(self.asks)),
            Arc::new(Int64Array::from(self.volumes)),
            Arc::new(Int32Array::from(self.trades)),
            Arc::new(Float64Array::from(self.spreads)),
        ];
        RecordBatch::try_new(MARKET_DATA.schema(), columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::MarketDataRow;

    #[test]
    fn the_columns_are_those_of_the_table() {
        let mut ticks = Ticks::default();
        ticks.push(5, "A", Tick { last_price: 10.0, bid: 9.0, ask: 11.0, volume: 300, trades: 4 });
        let row = MarketDataRow {
            timestamp: 5,
            symbol: "A".into(),
            last_price: Some(10.0),
            bid: Some(9.0),
            ask: Some(11.0),
            volume: Some(300),
            trades: Some(4),
            spread_bps: Some(2_000.0),
        };
        assert_eq!(ticks.finish().unwrap(), MarketDataRow::batch(&[row]).unwrap());
    }
}

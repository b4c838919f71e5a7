//! Fills, their statistics, and the quality of execution.

use futures::stream;

use super::source::{self, Source};
use super::{Queries, Window, first_row, integer, number, question, statement};
use crate::batch::{BatchStream, ReadError};
use crate::store::{Snapshot, Value};
use crate::time::{self, Micros};

/// Which fills are asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct TradeFilter {
    /// Only this symbol.
    pub symbol: Option<String>,
    /// Only this side, to the letter.
    pub side: Option<String>,
    /// The span, bounds inclusive.
    pub window: Window,
    /// At most this many.
    pub limit: u64,
    /// After this many.
    pub offset: u64,
}

/// Figures over the fills of a window; floats are 0 when there are none.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TradeStatistics {
    /// Fills.
    pub count: i64,
    /// Sum of quantity times price.
    pub total_volume: f64,
    /// Mean price.
    pub avg_price: f64,
    /// Mean quantity.
    pub avg_size: f64,
    /// Fills whose side is `buy`.
    pub buy_count: i64,
    /// Fills whose side is `sell`.
    pub sell_count: i64,
}

/// What became of the orders since midnight UTC; rates are 0 to 1.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ExecutionQuality {
    /// Filled share of submitted orders.
    pub fill_rate: f64,
    /// Mean time from order to fill.
    pub avg_latency_ms: f64,
    /// Mean slippage.
    pub avg_slippage_bps: f64,
    /// Rejected share of submitted orders.
    pub rejection_rate: f64,
    /// Cancelled share of submitted orders.
    pub cancellation_rate: f64,
}

impl Queries {
    /// Fills, oldest first, in the columns of the wire.
    pub async fn trades(&self, filter: &TradeFilter) -> Result<BatchStream, ReadError> {
        self.named("trades/list", filter.window, filter.values()).await
    }

    /// The same, and how many fills match the filter, its limit and offset apart. Both are of one snapshot.
    pub async fn trades_with_count(&self, filter: &TradeFilter) -> Result<(u64, BatchStream), ReadError> {
        let transaction = self.reader.begin(self.time_limit).await?;
        let of = |name| Ok::<_, ReadError>(question(name, self.find(name)?, filter.window, filter.values()));
        let counted = first_row(&mut transaction.ask_all(of("trades/count")?).await?).await?;
        let total = counted.map_or(0, |row| integer(&row, "total"));
        let trades = transaction.into_result_of(of("trades/list")?).await?;
        Ok((u64::try_from(total).unwrap_or(0), trades))
    }

    /// The fill of that id, one row, or `None`.
    pub async fn trade(&self, trade_id: &str) -> Result<Option<BatchStream>, ReadError> {
        let name = "trades/by_id";
        let (text, id) = (self.find(name)?, trade_id.to_owned());
        let by_id = move |snapshot: &Snapshot<'_>| {
            let expanded = source::expand(&text, |source| match source {
                Source::Rows(table) => snapshot.rows_with_key(table, &id),
                Source::Buckets(table, _) => snapshot.rows(table, Micros::MIN, Micros::MAX),
            })?;
            Ok(vec![statement(name, &expanded, &[("trade_id", Value::Text(id.clone()))])?])
        };
        let mut answer = self.reader.ask(by_id, self.time_limit).await?;
        let row = first_row(&mut answer).await?;
        Ok(row.map(|row| BatchStream::new(row.schema(), stream::iter([Ok(row)]))))
    }

    /// Figures over the fills of a window, of one symbol or of all.
    pub async fn trade_statistics(&self, symbol: Option<&str>, window: Window) -> Result<TradeStatistics, ReadError> {
        let row = self.row("trades/statistics", window, vec![("symbol", text_or_null(symbol))]).await?;
        Ok(TradeStatistics {
            count: integer(&row, "count"),
            total_volume: number(&row, "total_volume"),
            avg_price: number(&row, "avg_price"),
            avg_size: number(&row, "avg_size"),
            buy_count: integer(&row, "buy_count"),
            sell_count: integer(&row, "sell_count"),
        })
    }

    /// What became of the orders since midnight UTC; zeros when there are none.
    pub async fn execution_quality(&self) -> Result<ExecutionQuality, ReadError> {
        let now = time::now();
        let today = Window { start: time::day_start(now), end: now };
        let row = self.row("trades/execution_quality", today, Vec::new()).await?;
        Ok(ExecutionQuality {
            fill_rate: number(&row, "fill_rate"),
            avg_latency_ms: number(&row, "avg_latency_ms"),
            avg_slippage_bps: number(&row, "avg_slippage_bps"),
            rejection_rate: number(&row, "rejection_rate"),
            cancellation_rate: number(&row, "cancellation_rate"),
        })
    }
}

impl TradeFilter {
    fn values(&self) -> Vec<(&'static str, Value)> {
        let [start, end] = self.window.values();
        let whole = |count: u64| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
        vec![
            start,
            end,
            ("symbol", text_or_null(self.symbol.as_deref())),
            ("side", text_or_null(self.side.as_deref())),
            ("limit", whole(self.limit)),
            ("offset", whole(self.offset)),
        ]
    }
}

fn text_or_null(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(text.to_owned()))
}

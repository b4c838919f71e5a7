//! Users' SQL against a real store, in a worker on a thread: the same code over the same stream as in a process.

mod answers;
mod limits;
mod property;
mod pushdown;
mod refusals;
mod scans;

use std::time::Duration;

use arrow::record_batch::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Session;
use super::process::Launcher;
use crate::batch::ReadError;
use crate::config::{QuerySettings, StoreSettings};
use crate::store::Store;
use crate::tables::{MARKET_DATA, MarketDataRow, TRADES, TradeRow};
use crate::time::SECOND;

/// 2025-10-21T22:00:00.
const START: i64 = 1_761_084_000 * SECOND;
const SYMBOLS: [&str; 3] = ["AAPL", "MSFT", "O'Neil"];

/// A store with rows in it, and a session over them.
struct Desk {
    session: Session,
    store: Store,
    _directory: TempDir,
}

impl Desk {
    /// 1,000 seconds of three symbols, and a trade every ten seconds.
    async fn open() -> Self {
        Self::with(QuerySettings::default(), 1_000).await
    }

    async fn with(settings: QuerySettings, seconds: i64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("desk.duckdb");
        let store = Store::open(&StoreSettings { path, ..StoreSettings::default() }).unwrap();
        let seconds: Vec<i64> = (0..seconds).collect();
        for part in seconds.chunks(20_000) {
            let rows: Vec<_> = part.iter().flat_map(|second| SYMBOLS.map(|symbol| quote(*second, symbol))).collect();
            store.batches().commit(&MARKET_DATA, vec![MarketDataRow::batch(&rows).unwrap()]).await.unwrap();
        }
        let trades: Vec<_> = seconds.iter().step_by(10).take(100).map(|second| trade(*second)).collect();
        store.batches().commit(&TRADES, vec![TradeRow::batch(&trades).unwrap()]).await.unwrap();
        let session = Session::with(Launcher::Thread, store.reader().sql(), settings);
        Self { session, store, _directory: directory }
    }

    async fn ask(&self, sql: &str) -> Result<Vec<RecordBatch>, ReadError> {
        self.ask_with(sql, Value::Null).await
    }

    async fn ask_with(&self, sql: &str, parameters: Value) -> Result<Vec<RecordBatch>, ReadError> {
        self.session.query(sql, parameters).await?.try_collect().await
    }

    /// The answer as text, one line a row, values between bars.
    async fn rows(&self, sql: &str) -> Vec<String> {
        self.rows_with(sql, Value::Null).await
    }

    async fn rows_with(&self, sql: &str, parameters: Value) -> Vec<String> {
        let batches = self.ask_with(sql, parameters).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let text = pretty_format_batches(&batches).unwrap().to_string();
        let lines = text.lines().filter(|line| line.starts_with('|')).skip(1);
        lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|")).collect()
    }

    /// What the store is asked for the sake of a query.
    async fn store_sql(&self, sql: &str, parameters: Value) -> Vec<String> {
        let plan = self.rows_with(&format!("EXPLAIN FORMAT INDENT {sql}"), parameters).await.join("\n");
        plan.lines()
            .filter_map(|line| line.split_once("StoreScan: "))
            .map(|(_, statement)| statement.trim().to_owned())
            .collect()
    }

    /// The rows of a statement that the store itself answers.
    async fn direct(&self, sql: &str) -> Vec<RecordBatch> {
        let answer = self.store.reader().query(sql, Vec::new(), Duration::from_secs(60)).await.unwrap();
        answer.try_collect().await.unwrap()
    }
}

fn quote(second: i64, symbol: &str) -> MarketDataRow {
    let price = 100.0 + (second % 97) as f64 / 4.0;
    MarketDataRow {
        timestamp: START + second * SECOND,
        symbol: symbol.to_owned(),
        last_price: Some(price),
        bid: (second % 5 != 0).then_some(price - 0.25),
        ask: (second % 7 != 0).then_some(price + 0.25),
        volume: Some(second % 13),
        trades: Some(i32::try_from(second % 3).unwrap()),
        spread_bps: Some(50.0 / price),
    }
}

fn trade(second: i64) -> TradeRow {
    TradeRow {
        trade_id: format!("t{second}"),
        timestamp: START + second * SECOND,
        symbol: SYMBOLS[usize::try_from(second / 10).unwrap() % SYMBOLS.len()].to_owned(),
        side: if second % 20 == 0 { "buy" } else { "sell" }.to_owned(),
        quantity: 10.0 + (second % 4) as f64,
        price: 100.0 + (second % 97) as f64 / 4.0,
        latency_ms: (second % 3 != 0).then_some(1.5),
        slippage_bps: Some(0.5),
        strategy: (second % 40 != 0).then(|| "momentum".to_owned()),
    }
}

fn list(values: &[Value]) -> Value {
    json!(values)
}

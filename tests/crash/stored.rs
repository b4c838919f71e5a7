//! The rows that are there, in both tiers.

use std::collections::HashMap;

use arrow::record_batch::RecordBatch;
use observability_api::tables::{MarketDataRow, StrategyMetricsRow, SystemMetricsRow, TABLES, TradeRow};
use reqwest::Method;
use serde_json::json;

use crate::common::{Server, ipc};
use crate::promises::Promises;
use crate::rows::{Calendar, Micros, Row};

/// The rows of clients by key.
#[derive(PartialEq)]
pub struct Stored {
    pub quotes: HashMap<String, MarketDataRow>,
    pub strategies: HashMap<String, StrategyMetricsRow>,
    pub machines: HashMap<String, SystemMetricsRow>,
    pub trades: HashMap<String, TradeRow>,
}

impl Stored {
    /// Reads all rows, no key of which may be there twice.
    pub async fn read(server: &Server, calendar: &Calendar) -> Self {
        for table in TABLES {
            let key = table.key.join(", ");
            let twice = format!("SELECT {key}, count(*) AS n FROM {} GROUP BY {key} HAVING count(*) > 1", table.name);
            assert_eq!(server.sql(&twice).await, Vec::<serde_json::Value>::new(), "keys of {}", table.name);
        }
        let mut stored = Self {
            quotes: by_key(&export::<MarketDataRow>(server).await),
            strategies: by_key(&export::<StrategyMetricsRow>(server).await),
            machines: by_key(&export::<SystemMetricsRow>(server).await),
            trades: by_key(&export::<TradeRow>(server).await),
        };
        // What comes after is what the program has seen of its machine.
        stored.machines.retain(|_, row| row.timestamp < calendar.end());
        let counted = server.sql_value("SELECT count(*) FROM trades").await;
        assert_eq!(counted, json!(stored.trades.len()), "as many trades by SQL as by export");
        stored
    }

    /// Compares with what clients were told. Nothing else may be there.
    pub fn keeps(&self, promises: &mut [Promises], calendar: &Calendar) {
        let kept_from = calendar.kept_from();
        let (mut quotes, mut strategies) = (self.quotes.clone(), self.strategies.clone());
        let (mut machines, mut trades) = (self.machines.clone(), self.trades.clone());
        for promises in promises {
            promises.quotes.compare(&mut quotes, kept_from);
            promises.strategies.compare(&mut strategies, kept_from);
            promises.machines.compare(&mut machines, kept_from);
            promises.trades.compare(&mut trades, kept_from);
        }
        assert!(quotes.is_empty() && strategies.is_empty(), "nobody sent {quotes:?} {strategies:?}");
        assert!(machines.is_empty() && trades.is_empty(), "nobody sent {machines:?} {trades:?}");
    }

    pub fn len(&self) -> usize {
        self.quotes.len() + self.strategies.len() + self.machines.len() + self.trades.len()
    }

    /// How many rows are older than an instant.
    pub fn before(&self, instant: Micros) -> usize {
        fn of<R: Row>(rows: &HashMap<String, R>, instant: Micros) -> usize {
            rows.values().filter(|row| row.timestamp() < instant).count()
        }
        of(&self.quotes, instant)
            + of(&self.strategies, instant)
            + of(&self.machines, instant)
            + of(&self.trades, instant)
    }
}

/// Rows by key, each there once.
pub fn by_key<R: Row>(batches: &[RecordBatch]) -> HashMap<String, R> {
    let mut rows = HashMap::new();
    for row in batches.iter().flat_map(R::rows_of) {
        if let Some(twice) = rows.insert(row.key(), row) {
            panic!("twice: {twice:?}");
        }
    }
    rows
}

async fn export<R: Row>(server: &Server) -> Vec<RecordBatch> {
    let path = format!("/api/export/{}", R::TABLE.name);
    let answer = server.send(Method::GET, &path, &[("accept", ipc::MEDIA_TYPE)], Vec::new()).await.expect(200);
    ipc::read(&answer.body)
}

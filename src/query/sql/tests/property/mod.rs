//! Users' SQL means one thing: generated queries over generated rows give what DataFusion alone says of the same rows in
//! memory, whatever part of them is handed down to the store.
//!
//! Everything is compared bit by bit (every NaN being the same) but sums and means of floats: their last digits depend on
//! the order of the rows, which no engine promises. A few hundred queries, always the same, run with the other tests;
//! `SQL_CASES=20000 cargo test --release property -- --nocapture` runs so many others.

mod compare;
mod expressions;
mod queries;
mod rows;

use std::cell::Cell;
use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList};
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::optimizer::Optimizer;
use datafusion::prelude::SessionContext;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::*;
use crate::query::sql::context;
use crate::query::sql::floats::ordinary_column;
use crate::query::sql::worker::Allowance;
use crate::tables::Table;
use queries::Query;

/// Queries of a run that nobody asked more of.
const CASES: u32 = 300;

/// The same rows twice: in a store with a session over it, and in memory for DataFusion alone.
struct Pair {
    desk: Desk,
    alone: SessionContext,
}

impl Pair {
    async fn new(market_data: RecordBatch, trades: RecordBatch) -> Self {
        let settings = QuerySettings { time_limit: Duration::from_secs(600), ..QuerySettings::default() };
        let desk = Desk::with(settings.clone(), 0).await;
        let schema = MemorySchemaProvider::new();
        for (table, batch) in [(&MARKET_DATA, market_data), (&TRADES, trades)] {
            if batch.num_rows() > 0 {
                desk.store.batches().commit(table, vec![batch.clone()]).await.unwrap();
            }
            schema.register_table(table.name.to_owned(), Arc::new(in_memory(table, &batch))).unwrap();
        }
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema("public", Arc::new(schema)).unwrap();
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog("observability".to_owned(), Arc::new(catalog));
        let allowance = Allowance { memory: settings.memory_limit_bytes, threads: 2 };
        let state = context::session(allowance).unwrap();
        let state = SessionStateBuilder::new_from_existing(state)
            .with_catalog_list(Arc::new(catalogs))
            .with_optimizer_rules(Optimizer::new().rules)
            .build();
        Self { desk, alone: SessionContext::new_with_state(state) }
    }

    /// Whether DataFusion alone has a result at all, and both are the same.
    async fn check(&self, query: &Query) -> Result<bool, String> {
        let (context, sql) = (self.alone.clone(), query.sql.clone());
        // On a task of its own: an expression that it cannot take may end in a panic.
        let alone = tokio::spawn(async move { context.sql(&sql).await?.collect().await }).await;
        let Ok(Ok(alone)) = alone else { return Ok(false) };
        let both = self.desk.ask(&query.sql).await.map_err(|error| format!("the store fails: {error}"))?;
        compare::same(query, &alone, &both).map(|()| true)
    }
}

fn in_memory(table: &'static Table, batch: &RecordBatch) -> MemTable {
    let columns = batch.columns().iter().map(ordinary_column).collect();
    let batch = RecordBatch::try_new(table.schema(), columns).unwrap();
    MemTable::try_new(table.schema(), vec![vec![batch]]).unwrap()
}

#[test]
fn what_is_handed_down_means_what_datafusion_means() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let full = runtime.block_on(Pair::new(rows::market_data(160), rows::trades(80)));
    let empty = runtime.block_on(Pair::new(rows::market_data(0), rows::trades(0)));
    let wanted = std::env::var("SQL_CASES").ok().map(|cases| cases.parse().unwrap());
    let config = Config { cases: wanted.unwrap_or(CASES), failure_persistence: None, ..Config::default() };
    let mut runner = match wanted {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let (compared, all) = (Cell::new(0), Cell::new(0));
    let outcome = runner.run(&queries::query(), |query| {
        let pair = if query.of_empty_tables { &empty } else { &full };
        let has_result = runtime.block_on(pair.check(&query)).map_err(TestCaseError::fail)?;
        compared.set(compared.get() + u32::from(has_result));
        all.set(all.get() + 1);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    println!("{} of {} queries had a result to be compared with", compared.get(), all.get());
    assert!(compared.get() * 10 >= all.get() * 8, "{} of {}", compared.get(), all.get());
}

//! Users' SQL through DataFusion against the same SQL in the store, medians of one run.
//!
//! `cargo bench --bench sql [-- ROWS]`; 5,000,000 rows of market data without an argument.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and may stop at the first surprise"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use observability_api::batch::{BatchStream, ReadError};
use observability_api::config::{QuerySettings, StoreSettings};
use observability_api::query::{NamedQueries, Queries};
use observability_api::store::Store;
use observability_api::tables::{MARKET_DATA, MarketDataRow};
use observability_api::time::SECOND;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SYMBOLS: usize = 50;
const ROUNDS: usize = 7;
const START: i64 = 1_761_004_800 * SECOND;
const LIMIT: Duration = Duration::from_secs(120);

/// Name and text, the same for both. `date_bin` and `time_bucket` are the only words that differ.
const QUESTIONS: [(&str, &str); 10] = [
    ("count", "SELECT count(*) FROM market_data"),
    ("average by symbol", "SELECT symbol, avg(last_price), sum(volume) FROM market_data GROUP BY symbol"),
    (
        "five minutes by symbol",
        "SELECT {bucket}(INTERVAL '5 minutes', timestamp) AS bucket, symbol, avg(last_price), sum(volume), min(bid), \
         max(ask) FROM market_data GROUP BY 1, 2",
    ),
    (
        "one symbol by minute",
        "SELECT date_trunc('minute', timestamp) AS minute, max(ask), min(bid) FROM market_data \
         WHERE symbol = 'S07' GROUP BY 1 ORDER BY 1",
    ),
    (
        "a span of time",
        "SELECT symbol, count(*), stddev(last_price) FROM market_data \
         WHERE timestamp >= TIMESTAMP '2025-10-21 06:00:00' AND timestamp < TIMESTAMP '2025-10-21 07:00:00' \
         GROUP BY symbol",
    ),
    ("newest rows", "SELECT * FROM market_data ORDER BY timestamp DESC, symbol LIMIT 100"),
    (
        "conditional sums",
        "SELECT symbol, sum(CASE WHEN spread_bps > 5 THEN volume ELSE 0 END), count(*) FILTER (WHERE volume > 50) \
         FROM market_data GROUP BY symbol",
    ),
    (
        "groups of groups",
        "SELECT max(total) FROM (SELECT symbol, sum(volume) AS total FROM market_data GROUP BY symbol) AS totals",
    ),
    (
        "a function of DataFusion's own",
        "SELECT upper(symbol), avg(last_price) FROM market_data WHERE volume > 90 GROUP BY upper(symbol)",
    ),
    (
        "a join",
        "SELECT a.symbol, avg(a.last_price - b.last_price) FROM market_data a JOIN market_data b \
         ON a.timestamp = b.timestamp WHERE b.symbol = 'S01' GROUP BY a.symbol",
    ),
];

#[tokio::main]
async fn main() {
    let rows = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(5_000_000);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bench.duckdb");
    let store = Store::open(&StoreSettings { path, ..StoreSettings::default() }).unwrap();
    fill(&store, rows).await;
    let program = env!("CARGO_BIN_EXE_observability-api").into();
    let settings = QuerySettings { time_limit: LIMIT, program, ..QuerySettings::default() };
    let queries = Queries::new(store.reader(), Arc::new(NamedQueries::new(None)), &settings);

    println!("{rows} rows, {SYMBOLS} symbols; milliseconds, medians of {ROUNDS}\n");
    println!("{:<32} {:>10} {:>10} {:>7}", "", "store", "DataFusion", "ratio");
    for (name, sql) in QUESTIONS {
        let direct = sql.replace("{bucket}", "time_bucket");
        let through = sql.replace("{bucket}", "date_bin");
        let (mut direct_times, mut through_times) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let expected = drain(store.reader().query(direct.as_str(), Vec::new(), LIMIT).await).await;
            direct_times.push(began.elapsed());
            let began = Instant::now();
            let found = drain(queries.sql(&through, serde_json::Value::Null).await).await;
            through_times.push(began.elapsed());
            assert_eq!(expected, found, "{name}");
        }
        let (direct, through) = (median(direct_times), median(through_times));
        println!("{name:<32} {direct:>10.2} {through:>10.2} {:>7.2}", through / direct);
    }
    store.close().await.unwrap();
}

async fn fill(store: &Store, rows: usize) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let symbols: Vec<String> = (0..SYMBOLS).map(|number| format!("S{number:02}")).collect();
    let mut second = 0;
    let mut written = 0;
    while written < rows {
        let mut batch = Vec::with_capacity(2_000 * SYMBOLS);
        for _ in 0..2_000 {
            for symbol in &symbols {
                let price = 100.0 + random.random_range(0.0..10.0);
                batch.push(MarketDataRow {
                    timestamp: START + second * SECOND,
                    symbol: symbol.clone(),
                    last_price: Some(price),
                    bid: Some(price - 0.01),
                    ask: Some(price + 0.01),
                    volume: Some(random.random_range(0..100)),
                    trades: Some(random.random_range(0..10)),
                    spread_bps: Some(random.random_range(0.0..10.0)),
                });
            }
            second += 1;
        }
        batch.truncate(rows - written);
        written += batch.len();
        store.batches().commit(&MARKET_DATA, vec![MarketDataRow::batch(&batch).unwrap()]).await.unwrap();
    }
}

async fn drain(answer: Result<BatchStream, ReadError>) -> usize {
    answer.unwrap().try_fold(0, async |rows, batch| Ok(rows + batch.num_rows())).await.unwrap()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).unwrap().as_secs_f64() * 1_000.0
}

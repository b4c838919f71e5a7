//! What the store promises, against a real file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use rand::{Rng, SeedableRng};

use super::*;
use crate::batch::{ReadError, WriteError};
use crate::tables::{MARKET_DATA, MarketDataRow, TRADES, TradeRow};

const LIMIT: Duration = Duration::from_secs(20);
/// A statement that would run for hours.
const ENDLESS: &str = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b";

fn settings(directory: &Path) -> StoreSettings {
    StoreSettings { path: directory.join("test.duckdb"), ..StoreSettings::default() }
}

fn row(timestamp: i64, symbol: &str, volume: i64) -> MarketDataRow {
    MarketDataRow {
        timestamp,
        symbol: symbol.into(),
        last_price: Some(1.0),
        bid: None,
        ask: None,
        volume: Some(volume),
        trades: None,
        spread_bps: None,
    }
}

fn trade(trade_id: &str, price: f64) -> TradeRow {
    TradeRow {
        trade_id: trade_id.into(),
        timestamp: 1,
        symbol: "A".into(),
        side: "buy".into(),
        quantity: 1.0,
        price,
        latency_ms: None,
        slippage_bps: None,
        strategy: None,
    }
}

async fn read(store: &Store, sql: &str) -> Vec<RecordBatch> {
    store.reader().query(sql, Vec::new(), LIMIT).await.unwrap().try_collect().await.unwrap()
}

async fn count(store: &Store, table: &str) -> i64 {
    let batches = read(store, &format!("SELECT count(*) FROM {table}")).await;
    batches[0].column(0).as_any().downcast_ref::<Int64Array>().unwrap().value(0)
}

async fn stored(store: &Store) -> BTreeMap<(i64, String), i64> {
    let mut rows = BTreeMap::new();
    for batch in read(store, "SELECT timestamp, symbol, volume FROM market_data").await {
        let times = batch.column(0).as_any().downcast_ref::<TimestampMicrosecondArray>().unwrap();
        let symbols = batch.column(1).as_any().downcast_ref::<StringArray>().unwrap();
        let volumes = batch.column(2).as_any().downcast_ref::<Int64Array>().unwrap();
        for index in 0..batch.num_rows() {
            let key = (times.value(index), symbols.value(index).to_owned());
            assert!(rows.insert(key, volumes.value(index)).is_none(), "a key is stored twice");
        }
    }
    rows
}

#[tokio::test]
async fn the_last_write_of_a_key_wins_in_a_batch_and_across_batches_and_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let mut expected = BTreeMap::new();
    for start in 0..3 {
        let store = Store::open(&settings(directory.path())).unwrap();
        for write in 0..40 {
            let rows: Vec<_> = (0..random.random_range(1..60))
                .map(|_| {
                    let time = start * 100 + write + random.random_range(-20..20);
                    row(time, ["A", "B", "C"][random.random_range(0..3)], random.random_range(0..1_000_000))
                })
                .collect();
            for row in &rows {
                expected.insert((row.timestamp, row.symbol.clone()), row.volume.unwrap());
            }
            let batches = rows.chunks(17).map(|rows| MarketDataRow::batch(rows).unwrap()).collect();
            store.batches().commit(&MARKET_DATA, batches).await.unwrap();
        }
        assert_eq!(stored(&store).await, expected);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_trade_is_replaced_by_a_later_one_of_its_id() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&settings(directory.path())).unwrap();
    let first = TradeRow::batch(&[trade("a", 1.0), trade("b", 2.0), trade("a", 3.0)]).unwrap();
    store.batches().commit(&TRADES, vec![first]).await.unwrap();
    store.batches().commit(&TRADES, vec![TradeRow::batch(&[trade("b", 4.0)]).unwrap()]).await.unwrap();
    let batches = read(&store, "SELECT string_agg(trade_id || price, ',' ORDER BY trade_id) FROM trades").await;
    assert_eq!(batches[0].column(0).as_any().downcast_ref::<StringArray>().unwrap().value(0), "a3.0,b4.0");
}

#[tokio::test]
async fn a_bad_write_fails_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&settings(directory.path())).unwrap();
    let good = MarketDataRow::batch(&[row(1, "A", 1)]).unwrap();
    let fields = good.schema().fields().iter().map(|field| Field::clone(field).with_nullable(true)).collect::<Vec<_>>();
    let mut columns: Vec<ArrayRef> = good.columns().to_vec();
    columns[4] = new_null_array(good.column(4).data_type(), 1);
    columns[0] = new_null_array(good.column(0).data_type(), 1);
    let bad = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let batches = store.batches();
    let other = MarketDataRow::batch(&[row(2, "B", 2)]).unwrap();
    let outcomes = tokio::join!(
        batches.commit(&MARKET_DATA, vec![good]),
        batches.commit(&MARKET_DATA, vec![bad.clone()]),
        batches.commit(&MARKET_DATA, vec![other]),
    );
    assert!(outcomes.0.is_ok());
    assert!(matches!(outcomes.1, Err(WriteError::Rejected(_))), "{:?}", outcomes.1);
    assert!(outcomes.2.is_ok());
    assert_eq!(count(&store, "market_data").await, 2);

    // Collected rows that cannot be stored are tried again and hold up nobody.
    batches.send(&MARKET_DATA, bad).await.unwrap();
    let third = MarketDataRow::batch(&[row(3, "C", 3)]).unwrap();
    assert!(batches.commit(&MARKET_DATA, vec![third]).await.is_ok());
    assert_eq!(count(&store, "market_data").await, 3);
    store.close().await.unwrap();
}

#[tokio::test]
async fn collected_rows_are_stored_within_the_write_interval_and_at_the_latest_on_close() {
    let directory = tempfile::tempdir().unwrap();
    let lazy = StoreSettings { write_interval: Duration::from_secs(3_600), ..settings(directory.path()) };
    let store = Store::open(&lazy).unwrap();
    store.batches().send(&MARKET_DATA, MarketDataRow::batch(&[row(1, "A", 1)]).unwrap()).await.unwrap();
    store.close().await.unwrap();

    let prompt = StoreSettings { write_interval: Duration::from_millis(10), ..settings(directory.path()) };
    let store = Store::open(&prompt).unwrap();
    assert_eq!(count(&store, "market_data").await, 1);
    store.batches().send(&MARKET_DATA, MarketDataRow::batch(&[row(2, "A", 1)]).unwrap()).await.unwrap();
    tokio::time::timeout(LIMIT, async { while count(&store, "market_data").await < 2 {} }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_stopped_when_its_time_is_up_and_its_connection_serves_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let one = StoreSettings { readers: 1, ..settings(directory.path()) };
    let store = Store::open(&one).unwrap();
    for _ in 0..3 {
        let limit = Duration::from_millis(100);
        let answer = match store.reader().query(ENDLESS, Vec::new(), limit).await {
            Ok(stream) => stream.try_collect::<Vec<_>>().await,
            Err(error) => Err(error),
        };
        assert_eq!(answer.unwrap_err(), ReadError::TimedOut(limit));
        assert_eq!(count(&store, "trades").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_stopped_when_nobody_waits_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let one = StoreSettings { readers: 1, ..settings(directory.path()) };
    let store = Store::open(&one).unwrap();
    let endless = store.reader().query("SELECT * FROM range(100000000000)", Vec::new(), LIMIT * 60).await.unwrap();
    drop(endless);
    let waiting = store.reader();
    let abandoned = tokio::spawn(async move { waiting.query(ENDLESS, Vec::new(), LIMIT * 60).await.map(drop) });
    tokio::task::yield_now().await;
    abandoned.abort();
    assert_eq!(tokio::time::timeout(LIMIT, count(&store, "trades")).await.unwrap(), 0);
}

#[tokio::test]
async fn a_question_asked_again_sees_values_that_did_not_exist_the_first_time() {
    let directory = tempfile::tempdir().unwrap();
    let one = StoreSettings { readers: 1, ..settings(directory.path()) };
    let store = Store::open(&one).unwrap();
    let below = "SELECT count(*) FROM market_data WHERE volume < 100";
    let above = "SELECT count(*) FROM market_data WHERE volume >= 100";
    let groups = "SELECT count(*) FROM (SELECT symbol, volume FROM market_data GROUP BY 1, 2 ORDER BY 1, 2)";
    let mut asked = Vec::new();
    for rows in [vec![row(1, "A", 1), row(2, "B", 2)], vec![row(3, "A longer symbol than the others", 1_000_000)]] {
        store.batches().commit(&MARKET_DATA, vec![MarketDataRow::batch(&rows).unwrap()]).await.unwrap();
        for sql in [below, above, groups] {
            let batches = read(&store, sql).await;
            asked.push(batches[0].column(0).as_any().downcast_ref::<Int64Array>().unwrap().value(0));
        }
    }
    assert_eq!(asked, [2, 0, 2, 2, 1, 3]);
}

#[tokio::test]
async fn a_second_server_is_refused_and_told_who_has_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let store = Store::open(&settings).unwrap();
    store.announce(([127, 0, 0, 1], 1234).into(), false);
    let refused = Store::open(&settings).err().unwrap().to_string();
    assert!(refused.contains("in use by another server"), "{refused}");
    let holder = lock::holder(&settings.path).unwrap();
    assert_eq!(holder.address.as_deref(), Some("http://127.0.0.1:1234"));
    store.close().await.unwrap();
    assert_eq!(lock::holder(&settings.path), None);
    Store::open(&settings).unwrap().close().await.unwrap();
}

#[tokio::test]
async fn a_statement_reaches_neither_files_nor_settings() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&settings(directory.path())).unwrap();
    for forbidden in [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "SET threads = 1",
        "SET enable_external_access = true",
        "ATTACH '/tmp/other.duckdb'",
        "INSTALL httpfs",
        "DELETE FROM trades",
    ] {
        assert!(store.reader().query(forbidden, Vec::new(), LIMIT).await.is_err(), "{forbidden}");
    }
}

#[tokio::test]
async fn a_file_with_other_columns_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let connection = connect(&settings.path, &settings).unwrap();
    connection.execute_batch("CREATE TABLE trades (trade_id INTEGER)").unwrap();
    drop(connection);
    let refused = Store::open(&settings).err().unwrap();
    assert!(matches!(refused, StoreError::SchemaMismatch { table: "trades", .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_fit_for_the_next_query_after_one_that_broke_down() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreSettings { readers: 1, ..settings(directory.path()) }).unwrap();
    let broken: fn(&Snapshot<'_>) -> Result<Vec<Statement>, ReadError> = |_| panic!("a job breaks down");
    for _ in 0..3 {
        assert!(store.reader().ask(broken, LIMIT).await.is_err());
        // Neither is a transaction still open, nor comes an interrupt that was meant for the other one.
        let sum = read(&store, "SELECT sum(range % 7) FROM range(20000000)").await;
        assert_eq!(sum.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_reads_is_bounded_and_makes_way_for_others() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreSettings { readers: 1, ..settings(directory.path()) }).unwrap();
    let (reader, responses) = (store.reader(), store.responses());
    let wide = "SELECT repeat('x', 1000) || range AS s FROM range(100000)";
    let mut unread = reader.query(wide, Vec::new(), LIMIT).await.unwrap();
    assert_eq!(responses.batches().used(), 0, "nothing has been asked for");
    unread.try_next().await.unwrap().unwrap();
    // Another one gets its connection, which is the only one.
    assert_eq!(read(&store, "SELECT 1").await.len(), 1);
    let held = responses.batches().used();
    assert!(held > 0 && held <= responses.one_result().limit(), "{held}");
    let rest: Result<Vec<_>, _> = unread.try_collect().await;
    assert_eq!(rest.err(), Some(ReadError::Stalled(crate::budget::GRACE)));
    let idle = reader.begin(LIMIT).await.unwrap();
    assert_eq!(read(&store, "SELECT 1").await.len(), 1);
    let outcome = idle.query(Statement::new("SELECT 1", Vec::new())).await;
    assert_eq!(outcome.err(), Some(ReadError::Stalled(crate::budget::GRACE)));
    assert_eq!((reader.displaced(), responses.batches().used()), (2, 0));
}

//! Days in both tiers are one table.

use std::path::Path;

use arrow::array::{Array, Float64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::archive::Archive;
use crate::batch::Checksum;
use crate::config::{ArchiveSettings, RetentionSettings, StoreSettings};
use crate::store::Store;
use crate::tables::{MARKET_DATA, MarketDataRow, TABLES, TRADES, TradeRow};
use crate::time::SECOND;
use crate::upkeep::Retention;

const LIMIT: Duration = Duration::from_secs(20);
/// 2025-10-21.
const MONDAY: Micros = 20_382 * DAY;

fn open(directory: &Path) -> Store {
    let path = directory.join("O'Desk.duckdb");
    Store::open(&StoreSettings { path, ..StoreSettings::default() }).unwrap()
}

/// Moves everything before `now` into the archive; how many days that were.
async fn archive(store: &Store, now: Micros) -> usize {
    let settings = ArchiveSettings { hot_days: Some(0), ..ArchiveSettings::default() };
    let moved = Archive::new(store, settings, CancellationToken::new()).run(now).await.unwrap();
    assert!(moved.iter().all(|day| day.error.is_none() && day.bytes.is_some()), "{moved:?}");
    moved.len()
}

async fn quotes(store: &Store, rows: &[(Micros, &str, f64)]) {
    let rows: Vec<_> = rows
        .iter()
        .map(|(timestamp, symbol, price)| MarketDataRow {
            timestamp: *timestamp,
            symbol: (*symbol).to_owned(),
            last_price: Some(*price),
            bid: None,
            ask: Some(f64::NAN),
            volume: Some(7),
            trades: None,
            spread_bps: Some(-0.0),
        })
        .collect();
    store.batches().commit(&MARKET_DATA, vec![MarketDataRow::batch(&rows).unwrap()]).await.unwrap();
}

async fn trades(store: &Store, rows: &[(&str, Micros, f64)]) {
    let rows: Vec<_> = rows
        .iter()
        .map(|(trade_id, timestamp, price)| TradeRow {
            trade_id: (*trade_id).to_owned(),
            timestamp: *timestamp,
            symbol: "A".to_owned(),
            side: "buy".to_owned(),
            quantity: 1.0,
            price: *price,
            latency_ms: None,
            slippage_bps: None,
            strategy: None,
        })
        .collect();
    store.batches().commit(&TRADES, vec![TradeRow::batch(&rows).unwrap()]).await.unwrap();
}

/// A question over all rows of a table, `{rows}` in its text.
async fn ask(store: &Store, table: &'static Table, sql: &'static str) -> Vec<RecordBatch> {
    let question = move |snapshot: &Snapshot<'_>| {
        let rows = snapshot.rows(table, Micros::MIN, Micros::MAX)?;
        Ok(vec![Statement::new(sql.replace("{rows}", &rows), Vec::new())])
    };
    store.reader().ask(question, LIMIT).await.unwrap().try_collect().await.unwrap()
}

async fn stored_quotes(store: &Store) -> Vec<(Micros, String, f64)> {
    let batches = ask(store, &MARKET_DATA, "SELECT timestamp, symbol, last_price FROM {rows} ORDER BY 1, 2").await;
    let mut rows = Vec::new();
    for batch in batches {
        let times = batch.column(0).as_any().downcast_ref::<TimestampMicrosecondArray>().unwrap();
        let symbols = batch.column(1).as_any().downcast_ref::<StringArray>().unwrap();
        let prices = batch.column(2).as_any().downcast_ref::<Float64Array>().unwrap();
        rows.extend(
            (0..batch.num_rows()).map(|row| (times.value(row), symbols.value(row).to_owned(), prices.value(row))),
        );
    }
    rows
}

async fn stored_trades(store: &Store) -> Vec<String> {
    let sql = "SELECT trade_id || ' ' || epoch_us(timestamp) // 86400000000 || ' ' || price FROM {rows} ORDER BY 1";
    let batches = ask(store, &TRADES, sql).await;
    let texts = |batch: &RecordBatch| {
        let texts = batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
        (0..texts.len()).map(|row| texts.value(row).to_owned()).collect::<Vec<_>>()
    };
    batches.iter().flat_map(texts).collect()
}

async fn hot_rows(store: &Store, table: &'static Table) -> u64 {
    store.reader().hot_days(table, LATEST, LIMIT).await.unwrap().iter().map(|day| day.rows).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_the_same_before_and_after_their_day_is_archived() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let all: Vec<(Micros, &str, f64)> = (0..3 * 86_400)
        .step_by(60)
        .flat_map(|second| ["A", "B", "O'Neil"].map(|symbol| (MONDAY + second * SECOND, symbol, second as f64 / 8.0)))
        .collect();
    quotes(&store, &all).await;
    let before = stored_quotes(&store).await;
    assert_eq!(before.len(), all.len());
    assert_eq!(archive(&store, MONDAY + 2 * DAY + SECOND).await, 2);
    assert_eq!(hot_rows(&store, &MARKET_DATA).await, 3 * 1_440);
    assert_eq!(stored_quotes(&store).await, before);
    assert_eq!(archive(&store, MONDAY + 2 * DAY + SECOND).await, 0, "there is nothing left to do");
    let days = store.reader().archived_days(&MARKET_DATA, MONDAY, MONDAY + DAY).await.unwrap();
    assert_eq!(
        days.iter().map(|day| (day.start, day.rows, day.late)).collect::<Vec<_>>(),
        [(MONDAY, 4_320, false), (MONDAY + DAY, 4_320, false)]
    );
    let file = directory.path().join("archive/O'Desk").join(&days[0].file);
    assert_eq!(std::fs::metadata(file).unwrap().len(), days[0].bytes);
    store.close().await.unwrap();
    assert_eq!(stored_quotes(&open(directory.path())).await, before, "and after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn late_rows_of_an_archived_day_replace_its_rows_and_join_them_in_the_next_run() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    quotes(&store, &[(MONDAY, "A", 1.0), (MONDAY, "B", 1.0), (MONDAY + SECOND, "A", 1.0)]).await;
    archive(&store, MONDAY + DAY).await;
    quotes(&store, &[(MONDAY, "A", 2.0), (MONDAY + 2 * SECOND, "C", 2.0)]).await;
    let expected = [
        (MONDAY, "A".to_owned(), 2.0),
        (MONDAY, "B".to_owned(), 1.0),
        (MONDAY + SECOND, "A".to_owned(), 1.0),
        (MONDAY + 2 * SECOND, "C".to_owned(), 2.0),
    ];
    assert_eq!(stored_quotes(&store).await, expected);

    // A kill between the rename of the merged file and the transaction: file and database have the same rows.
    let files = store.files();
    let rows = store.reader().day(&MARKET_DATA, MONDAY, LIMIT).await.unwrap();
    let days = store.reader().archived_days(&MARKET_DATA, MONDAY, MONDAY).await.unwrap();
    let aside = files.aside(&days[0].file).unwrap();
    let batches: Vec<_> = rows.try_collect::<Vec<_>>().await.unwrap().into_iter().map(Ok).collect();
    let content = crate::archive::write(&aside, &MARKET_DATA, batches.into_iter()).unwrap();
    store.maintenance().announce(&MARKET_DATA, MONDAY, content.bytes, content.hash.clone()).await.unwrap();
    files.publish(&aside, &days[0].file, &content, true).await.unwrap();
    assert_eq!(stored_quotes(&store).await, expected);
    store.close().await.unwrap();
    let store = open(directory.path());
    assert_eq!(stored_quotes(&store).await, expected);

    assert_eq!(archive(&store, MONDAY + DAY).await, 1);
    assert_eq!(stored_quotes(&store).await, expected);
    assert_eq!(hot_rows(&store, &MARKET_DATA).await, 0);
    let days = store.reader().archived_days(&MARKET_DATA, MONDAY, MONDAY).await.unwrap();
    assert_eq!((days[0].rows, days[0].late), (4, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_that_moves_to_another_day_is_there_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    trades(&store, &[("a", MONDAY, 1.0), ("b", MONDAY, 1.0), ("c", MONDAY + DAY, 1.0)]).await;
    assert_eq!(archive(&store, MONDAY + DAY).await, 1);
    trades(&store, &[("a", MONDAY + DAY, 2.0)]).await;
    let expected = ["a 20383 2.0", "b 20382 1.0", "c 20383 1.0"];
    assert_eq!(stored_trades(&store).await, expected);
    assert_eq!(archive(&store, MONDAY + 2 * DAY).await, 1);
    assert_eq!(stored_trades(&store).await, expected);
    // Back again, and both days at once.
    trades(&store, &[("a", MONDAY, 3.0), ("b", MONDAY + DAY, 3.0)]).await;
    let expected = ["a 20382 3.0", "b 20383 3.0", "c 20383 1.0"];
    assert_eq!(stored_trades(&store).await, expected);
    assert_eq!(archive(&store, MONDAY + 2 * DAY).await, 2);
    assert_eq!(stored_trades(&store).await, expected);
    assert_eq!(hot_rows(&store, &TRADES).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn trades_that_move_while_their_new_day_is_archived_are_there_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let ids: Vec<String> = (0..400).map(|number| format!("{number:03}")).collect();
    let on = |day: Micros, price: f64| ids.iter().map(|id| (id.as_str(), day, price)).collect::<Vec<_>>();
    trades(&store, &on(MONDAY, 1.0)).await;
    assert_eq!(archive(&store, MONDAY + DAY).await, 1);
    trades(&store, &on(MONDAY + DAY, 2.0)[..10]).await;
    let moving = async {
        for row in &on(MONDAY + DAY, 2.0)[10..] {
            trades(&store, std::slice::from_ref(row)).await;
        }
    };
    let archiving = async {
        let settings = ArchiveSettings { hot_days: Some(0), ..ArchiveSettings::default() };
        let archive = Archive::new(&store, settings, CancellationToken::new());
        for _ in 0..20 {
            // A day that rows keep coming in for stays until the next run.
            archive.run(MONDAY + 2 * DAY).await.unwrap();
        }
    };
    tokio::join!(moving, archiving);
    archive(&store, MONDAY + 2 * DAY).await;
    let expected: Vec<_> = ids.iter().map(|id| format!("{id} 20383 2.0")).collect();
    assert_eq!(stored_trades(&store).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_whose_day_is_dropped_does_not_come_back_from_the_day_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    trades(&store, &[("a", MONDAY, 1.0), ("b", MONDAY, 1.0)]).await;
    assert_eq!(archive(&store, MONDAY + DAY).await, 1);
    trades(&store, &[("a", MONDAY - 10 * DAY, 2.0)]).await;
    // What is not rolled up is not dropped.
    let mut rollups = store.rollups().watch();
    rollups.wait_for(|tables| tables.get(TRADES.name).is_some_and(|table| table.until > MONDAY - DAY)).await.unwrap();
    let settings = RetentionSettings { tables: [(TRADES.name, Some(5))].into(), ..RetentionSettings::default() };
    let archive = Archive::new(&store, ArchiveSettings::default(), CancellationToken::new());
    let dropped = Retention::new(&store, archive, settings).run(MONDAY + 2 * DAY, false).await.unwrap();
    assert_eq!(dropped.iter().map(|part| part.rows).collect::<Vec<_>>(), [1]);
    assert_eq!(stored_trades(&store).await, ["b 20382 1.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_whose_rows_change_while_it_is_written_keeps_them() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    quotes(&store, &[(MONDAY, "A", 1.0)]).await;
    let content = Content { checksum: Checksum::default(), bytes: 0, hash: String::new(), keys: None };
    let file = FiledDay { start: MONDAY, file: "x".to_owned(), content };
    let refused = store.maintenance().hand_over(&MARKET_DATA, file.clone(), 0).await.unwrap_err();
    assert!(matches!(refused, MaintenanceError::Overtaken(_)), "{refused}");
    let refused = store.maintenance().hand_over(&MARKET_DATA, file, 1).await.unwrap_err();
    assert!(matches!(refused, MaintenanceError::Overtaken(_)), "{refused}");
    assert_eq!(stored_quotes(&store).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_which_days_are_dropped_as_others_come_does_not_grow() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut sizes = Vec::new();
    for day in (0..10).map(|day| MONDAY + day * DAY) {
        for part in 0..4 {
            let rows: Vec<_> = (0..50_000)
                .map(|row| (day + (part * 50_000 + row) * 400_000, "A", (row * 7_919 % 10_007) as f64 / 7.0))
                .collect();
            quotes(&store, &rows).await;
        }
        let touched = store.maintenance().touched(&MARKET_DATA, day - DAY).await.unwrap();
        let refused = store.maintenance().drop_day(&MARKET_DATA, day - DAY, (touched + 1, 0)).await.unwrap_err();
        assert!(matches!(refused, MaintenanceError::Overtaken(_)), "{refused}");
        let dropped = store.maintenance().drop_day(&MARKET_DATA, day - DAY, (touched, 0)).await.unwrap();
        assert_eq!(dropped > 0, day > MONDAY);
        store.maintenance().checkpoint().await.unwrap();
        sizes.push(std::fs::metadata(directory.path().join("O'Desk.duckdb")).unwrap().len());
    }
    let (second, most) = (sizes[1], sizes.iter().max().unwrap());
    assert!(*most <= second + second / 2, "{sizes:?}");
    println!("sizes of the file after each day: {sizes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_archive_can_be_read_and_nothing_but_declared_tables_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for table in TABLES {
        assert!(store.reader().archived_days(table, Micros::MIN, Micros::MAX).await.unwrap().is_empty());
    }
    std::fs::write(directory.path().join("secret.csv"), "a\n1\n").unwrap();
    for path in ["secret.csv", "archive/O''Desk/../../secret.csv"] {
        let sql = format!("SELECT * FROM read_csv('{}/{path}')", directory.path().display());
        let refused = store.reader().query(sql, Vec::new(), LIMIT).await.err().unwrap();
        assert!(refused.to_string().contains("Permission Error"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_others_are_in_the_way_of_is_no_failure() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    quotes(&store, &[(MONDAY, "A", 1.0)]).await;
    let other = store.maintenance().run(|hands| Ok(hands.connection.try_clone()?)).await.unwrap();
    other.execute_batch("BEGIN; DELETE FROM market_data").unwrap();
    store.maintenance().checkpoint().await.unwrap();
    other.execute_batch("ROLLBACK").unwrap();
    store.maintenance().checkpoint().await.unwrap();
    store.close().await.unwrap();
}

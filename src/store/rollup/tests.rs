//! Roll-ups against the same figures computed from the rows.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use tokio_util::sync::CancellationToken;

use super::text::Wanted;
use super::*;
use crate::archive::Archive;
use crate::config::{ArchiveSettings, StoreSettings};
use crate::store::{Snapshot, Statement, Store};
use crate::tables::{ColumnKind, MARKET_DATA, TABLES, TRADES, Table};
use crate::time::{self, DAY, Micros, SECOND};

/// A Friday afternoon, and a moment before 1970.
const BASES: [Micros; 2] = [1_761_048_000_000_000, -3 * DAY];

fn settings(directory: &std::path::Path) -> StoreSettings {
    StoreSettings {
        path: directory.join("test.duckdb"),
        rollup_interval: Duration::from_millis(1),
        ..StoreSettings::default()
    }
}

/// Random rows of a table: with nulls, around `base`, some with a key that is stored already.
fn rows(random: &mut ChaCha8Rng, table: &'static Table, base: Micros, count: usize) -> RecordBatch {
    let instants: Vec<Micros> = (0..count).map(|_| base + random.random_range(0..14_400) * SECOND).collect();
    let column = |random: &mut ChaCha8Rng, kind: ColumnKind, name: &str, nullable: bool| -> ArrayRef {
        let mut present = || !nullable || random.random_bool(0.8);
        match kind {
            ColumnKind::Timestamp => Arc::new(TimestampMicrosecondArray::from(instants.clone())),
            ColumnKind::Double => Arc::new(Float64Array::from_iter(
                (0..count)
                    .map(|_| present())
                    .collect::<Vec<_>>()
                    .into_iter()
                    .map(|present| present.then(|| f64::from(random.random_range(-1_000..100_000)) / 7.0)),
            )),
            ColumnKind::Integer => Arc::new(Int32Array::from_iter(
                (0..count)
                    .map(|_| present())
                    .collect::<Vec<_>>()
                    .into_iter()
                    .map(|present| present.then(|| random.random_range(i32::MIN..i32::MAX))),
            )),
            ColumnKind::BigInt => Arc::new(Int64Array::from_iter(
                (0..count).map(|_| present()).collect::<Vec<_>>().into_iter().map(|present| {
                    present.then(|| if random.random_bool(0.1) { i64::MAX } else { random.random_range(-5..1_000_000) })
                }),
            )),
            ColumnKind::Text => {
                let choices = match name {
                    "side" => ["buy", "sell", "hold"].map(String::from).to_vec(),
                    "trade_id" => (0..400).map(|id| format!("t{id}")).collect(),
                    _ => ["A", "B", "C"].map(String::from).to_vec(),
                };
                Arc::new(StringArray::from_iter_values(
                    (0..count).map(|_| choices[random.random_range(0..choices.len())].clone()),
                ))
            }
        }
    };
    let columns = table.columns.iter().map(|declared| column(random, declared.kind, declared.name, declared.nullable));
    RecordBatch::try_new(table.schema(), columns.collect()).unwrap()
}

/// Waits until everything that was stored, and is complete, is rolled up and nothing of it is stale.
async fn settled(store: &Store, table: &Table, newest: Micros) -> Micros {
    let complete = time::floor(newest - 120 * SECOND, FINEST.width());
    let mut watch = store.rollups().watch();
    let settled = async {
        loop {
            let made = watch.borrow_and_update().get(table.name).is_some_and(|table| table.until >= complete);
            // What is told may be from before the last commit.
            let stale = format!("SELECT count(*) FROM rollup.stale WHERE table_name = '{}'", table.name);
            if made && integer(store, stale).await == 0 {
                break;
            }
            watch.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), settled).await.expect("roll-ups come to an end");
    complete
}

/// The one number of an answer.
async fn integer(store: &Store, sql: String) -> i64 {
    read(store, sql).await[0].column(0).as_any().downcast_ref::<Int64Array>().unwrap().value(0)
}

async fn read(store: &Store, sql: String) -> Vec<RecordBatch> {
    store.reader().query(sql, Vec::new(), Duration::from_secs(20)).await.unwrap().try_collect().await.unwrap()
}

/// The buckets of a level, made of the rows of both tiers.
async fn anew(store: &Store, table: &'static Table, level: Level, until: Micros, key: String) -> Vec<RecordBatch> {
    let question = move |snapshot: &Snapshot<'_>| {
        let rows = snapshot.rows(table, -700_000 * DAY, until)?;
        let bucket = text::bucket(crate::tables::TIME_COLUMN, level.width());
        let buckets = text::of_rows(table, Wanted::All, &rows, &bucket, (-700_000 * DAY, until), "");
        Ok(vec![Statement::new(format!("SELECT * FROM ({buckets}) ORDER BY {key}"), Vec::new())])
    };
    let answer = store.reader().ask(question, Duration::from_secs(20)).await.unwrap();
    answer.try_collect().await.unwrap()
}

/// Moves everything of days that are over into the archive.
async fn archive(store: &Store) -> usize {
    let settings = ArchiveSettings { hot_days: Some(0), ..ArchiveSettings::default() };
    let moved = Archive::new(store, settings, CancellationToken::new()).run(time::now()).await.unwrap();
    assert!(moved.iter().all(|day| day.error.is_none()), "{moved:?}");
    moved.len()
}

/// What differs between what is kept and what the rows say: exactly, but for sums, which may differ by rounding.
async fn check(store: &Store, table: &'static Table, complete: Micros) {
    for level in LEVELS {
        let until = time::floor(complete, level.width());
        let key = table.label.map_or("bucket".to_owned(), |label| format!("bucket, {label}"));
        let kept = text::span(table, Wanted::All, level, (-700_000 * DAY, until), "");
        let kept = read(store, format!("SELECT * FROM ({kept}) ORDER BY {key}")).await;
        let anew = anew(store, table, level, until, key).await;
        let schema = anew.first().map_or_else(|| kept[0].schema(), |batch| batch.schema());
        let (kept, anew) = (
            arrow::compute::concat_batches(&schema, &kept).unwrap(),
            arrow::compute::concat_batches(&schema, &anew).unwrap(),
        );
        let what = |column: &str| format!("{} {} {column}", table.name, level.name());
        assert_eq!(kept.num_rows(), anew.num_rows(), "{}", what("buckets"));
        for (position, field) in schema.fields().iter().enumerate() {
            let (kept, anew) = (kept.column(position), anew.column(position));
            let floats = kept.as_any().downcast_ref::<Float64Array>().zip(anew.as_any().downcast_ref::<Float64Array>());
            let rounded = field.name().ends_with("_sum") || field.name().starts_with("turnover");
            match floats.filter(|_| rounded) {
                Some((kept, anew)) => kept.iter().zip(anew).for_each(|pair| match pair {
                    (Some(kept), Some(anew)) => {
                        assert!(
                            (kept - anew).abs() <= 1e-9 * anew.abs().max(1.0),
                            "{}: {kept}, not {anew}",
                            what(field.name())
                        );
                    }
                    pair => assert_eq!(pair.0, pair.1, "{}", what(field.name())),
                }),
                None => assert_eq!(kept, anew, "{}", what(field.name())),
            }
        }
    }
}

#[tokio::test]
async fn every_figure_is_that_of_the_rows_under_late_and_replaced_rows_and_restarts() {
    for (seed, base) in BASES.into_iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(seed as u64);
        let mut newest = [Micros::MIN; TABLES.len()];
        for _restart in 0..3 {
            let store = Store::open(&settings(directory.path())).unwrap();
            for round in 0..6 {
                for (table, newest) in TABLES.into_iter().zip(&mut newest) {
                    // Most rows are late; some rounds also move on.
                    let count = random.random_range(1..200);
                    let batch = rows(&mut random, table, base + round * 1_800 * SECOND, count);
                    let times: &TimestampMicrosecondArray = crate::tables::column(&batch, "timestamp").unwrap();
                    *newest = (*newest).max(arrow::compute::max(times).unwrap());
                    store.batches().commit(table, vec![batch]).await.unwrap();
                    let stored = read(&store, format!("SELECT max(timestamp) FROM {}", table.name)).await;
                    let stored: &TimestampMicrosecondArray = stored[0].column(0).as_any().downcast_ref().unwrap();
                    let complete = settled(&store, table, stored.value(0)).await;
                    check(&store, table, complete).await;
                }
            }
            store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn rows_that_were_stored_without_roll_ups_are_rolled_up_after_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let lazy = StoreSettings { rollup_interval: Duration::from_secs(3_600), ..settings(directory.path()) };
    let store = Store::open(&lazy).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    // Years apart: what lies between is passed over.
    for base in [0, 1_000 * DAY, 20_000 * DAY] {
        store.batches().commit(&MARKET_DATA, vec![rows(&mut random, &MARKET_DATA, base, 500)]).await.unwrap();
    }
    store.close().await.unwrap();

    let store = Store::open(&lazy).unwrap();
    let complete = settled(&store, &MARKET_DATA, 20_000 * DAY + 3_600 * SECOND).await;
    check(&store, &MARKET_DATA, complete).await;
    assert!(store.rollups().watch().borrow()[MARKET_DATA.name].share > 0.9);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_row_from_the_future_does_not_make_the_present_late() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&settings(directory.path())).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let future = rows(&mut random, &MARKET_DATA, time::now() + 400 * DAY, 10);
    store.batches().commit(&MARKET_DATA, vec![future]).await.unwrap();
    let past = rows(&mut random, &MARKET_DATA, time::now() - DAY, 100);
    store.batches().commit(&MARKET_DATA, vec![past]).await.unwrap();
    let complete = settled(&store, &MARKET_DATA, time::now() - DAY + 14_000 * SECOND).await;
    check(&store, &MARKET_DATA, complete).await;
    assert!(store.rollups().watch().borrow()[MARKET_DATA.name].until <= time::now());
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_is_that_of_the_rows_of_both_tiers_under_rows_that_change_archived_days() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut newest = [Micros::MIN; TABLES.len()];
    let store = Store::open(&settings(directory.path())).unwrap();
    for round in 0..8 {
        for (table, newest) in TABLES.into_iter().zip(&mut newest) {
            let base = BASES[0] + random.random_range(0..3) * DAY;
            let batch = rows(&mut random, table, base, 60);
            let times: &TimestampMicrosecondArray = crate::tables::column(&batch, "timestamp").unwrap();
            *newest = (*newest).max(arrow::compute::max(times).unwrap());
            store.batches().commit(table, vec![batch]).await.unwrap();
            // Ids of fills that are in files are looked for when these are written the next time.
            if !std::ptr::eq(table, &TRADES) {
                check(&store, table, settled(&store, table, *newest).await).await;
            }
        }
        if round % 2 == 0 {
            assert!(archive(&store).await > 0);
            let newest = TABLES.into_iter().zip(&newest).find(|(table, _)| std::ptr::eq(*table, &TRADES)).unwrap().1;
            check(&store, &TRADES, settled(&store, &TRADES, *newest).await).await;
        }
    }
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_were_archived_before_they_were_rolled_up_are_rolled_up_too() {
    let directory = tempfile::tempdir().unwrap();
    let lazy = StoreSettings { rollup_interval: Duration::from_secs(3_600), ..settings(directory.path()) };
    let store = Store::open(&lazy).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(6);
    for base in [0, 1_000 * DAY, 20_000 * DAY] {
        store.batches().commit(&MARKET_DATA, vec![rows(&mut random, &MARKET_DATA, base, 500)]).await.unwrap();
    }
    assert_eq!(archive(&store).await, 3);
    let now = time::now();
    store.batches().commit(&MARKET_DATA, vec![rows(&mut random, &MARKET_DATA, now - DAY, 500)]).await.unwrap();
    store.close().await.unwrap();

    let store = Store::open(&lazy).unwrap();
    let complete = settled(&store, &MARKET_DATA, now - DAY).await;
    check(&store, &MARKET_DATA, complete).await;
    assert!(complete > 20_000 * DAY);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn late_rows_that_lie_far_apart_are_stored_at_once_and_rolled_up_later() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&settings(directory.path())).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let day = time::day_start(BASES[0]);
    for month in 0..12 {
        let batch = rows(&mut random, &MARKET_DATA, day + month * 30 * DAY, 50);
        store.batches().commit(&MARKET_DATA, vec![batch]).await.unwrap();
    }
    let complete = settled(&store, &MARKET_DATA, day + 330 * DAY + 7_000 * SECOND).await;
    // A hundred hours of a year in one transaction, again while the first are being refreshed, and some that are refreshed
    // at once.
    for count in [100, 30, 4] {
        let spread = |place: usize| day + (place as i64 * 8_640 / count as i64) * 3_600 * SECOND;
        let times: Vec<_> = (0..count).map(spread).collect();
        let batch = rows(&mut random, &MARKET_DATA, day, count);
        let mut columns = batch.columns().to_vec();
        columns[MARKET_DATA.position("timestamp").unwrap()] = Arc::new(TimestampMicrosecondArray::from(times));
        let batch = RecordBatch::try_new(batch.schema(), columns).unwrap();
        store.batches().commit(&MARKET_DATA, vec![batch]).await.unwrap();
    }
    let complete = complete.max(settled(&store, &MARKET_DATA, complete).await);
    check(&store, &MARKET_DATA, complete).await;
    store.close().await.unwrap();
}

/// How many rows the buckets of a level speak of.
async fn rolled_rows(store: &Store, level: Level) -> i64 {
    let sql = format!("SELECT coalesce(sum(rows), 0)::BIGINT FROM rollup.market_data_{}", level.name());
    integer(store, sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_that_outlive_narrower_ones_or_rows_survive_late_rows() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&settings(directory.path())).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let day = time::day_start(BASES[0]);
    store.batches().commit(&MARKET_DATA, vec![rows(&mut random, &MARKET_DATA, day, 500)]).await.unwrap();
    store.batches().commit(&MARKET_DATA, vec![rows(&mut random, &MARKET_DATA, day + 3 * DAY, 2)]).await.unwrap();
    settled(&store, &MARKET_DATA, day + 3 * DAY).await;
    let maintenance = store.maintenance();

    maintenance.drop_buckets(&MARKET_DATA, FINEST, day + DAY).await.unwrap();
    store.batches().commit(&MARKET_DATA, vec![rows(&mut random, &MARKET_DATA, day, 5)]).await.unwrap();
    settled(&store, &MARKET_DATA, day + 3 * DAY).await;
    let sql = format!("SELECT count(*) FROM market_data WHERE timestamp < make_timestamp({})", day + DAY);
    let stored = integer(&store, sql).await;
    for level in [Level::Minute5, Level::Hour1] {
        // The newest rows may be in buckets already.
        let rows = rolled_rows(&store, level).await;
        assert!((stored..=stored + 2).contains(&rows), "{}: {rows} of {stored}", level.name());
    }

    let touched = maintenance.touched(&MARKET_DATA, day).await.unwrap();
    maintenance.drop_day(&MARKET_DATA, day, (touched, 0)).await.unwrap();
    let kept = [rolled_rows(&store, Level::Minute5).await, rolled_rows(&store, Level::Hour1).await];
    store.batches().commit(&MARKET_DATA, vec![rows(&mut random, &MARKET_DATA, day, 5)]).await.unwrap();
    settled(&store, &MARKET_DATA, day + 3 * DAY).await;
    let left = [rolled_rows(&store, Level::Minute5).await, rolled_rows(&store, Level::Hour1).await];
    assert_eq!(left, kept);
    store.close().await.unwrap();
}

/// Rows of a day in the table, and in its buckets of each level.
async fn rows_of_day(store: &Store, day: Micros) -> [i64; 4] {
    let within = |time: &str| format!("{time} >= make_timestamp({day}) AND {time} < make_timestamp({})", day + DAY);
    let mut found = [0; 4];
    found[0] = integer(store, format!("SELECT count(*) FROM market_data WHERE {}", within("timestamp"))).await;
    for (found, level) in found[1..].iter_mut().zip(LEVELS) {
        let buckets = format!("rollup.market_data_{} WHERE {}", level.name(), within("bucket"));
        *found = integer(store, format!("SELECT coalesce(sum(rows), 0)::BIGINT FROM {buckets}")).await;
    }
    found
}

async fn drop_day(store: &Store, day: Micros) {
    let touched = store.maintenance().touched(&MARKET_DATA, day).await.unwrap();
    store.maintenance().drop_day(&MARKET_DATA, day, (touched, 0)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_was_never_dropped_is_counted_however_many_later_ones_were() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&settings(directory.path())).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let day = time::day_start(BASES[0]);
    let (never, between, newest) = (day - 5 * DAY, day + DAY, day + 3 * DAY);
    let mut store_rows = async |store: &Store, start: Micros, count: usize| {
        let rows = rows(&mut random, &MARKET_DATA, start, count);
        let stored = store.batches().commit(&MARKET_DATA, vec![rows]).await.unwrap();
        settled(store, &MARKET_DATA, newest).await;
        stored.of_dropped_days
    };
    for start in [newest, day, day + 2 * DAY] {
        assert_eq!(store_rows(&store, start, 50).await, 0);
    }
    drop_day(&store, day).await;
    drop_day(&store, day + 2 * DAY).await;
    let kept = [rows_of_day(&store, day).await, rows_of_day(&store, day + 2 * DAY).await];
    assert!(kept.iter().all(|[rows, buckets @ ..]| *rows == 0 && buckets.iter().all(|rows| *rows > 0)), "{kept:?}");

    // Twice: buckets of rows are made again, and those that have outlived theirs are not.
    for _ in 0..2 {
        for start in [never, between] {
            assert_eq!(store_rows(&store, start, 30).await, 0);
            let [rows, buckets @ ..] = rows_of_day(&store, start).await;
            assert!(rows > 0 && buckets == [rows; 3], "{buckets:?} of {rows}");
        }
        assert_eq!(store_rows(&store, day, 7).await, 7);
        assert_eq!(rows_of_day(&store, day).await[1..], kept[0][1..]);
    }
    // A day that is dropped late, and one that is dropped once more.
    let late = rows_of_day(&store, never).await;
    drop_day(&store, never).await;
    drop_day(&store, day).await;
    store.close().await.unwrap();

    let store = Store::open(&settings(directory.path())).unwrap();
    assert_eq!(store_rows(&store, never, 3).await, 3);
    assert_eq!(store_rows(&store, between, 30).await, 0);
    assert_eq!(rows_of_day(&store, never).await[1..], late[1..]);
    assert_eq!(rows_of_day(&store, day).await, kept[0]);
    let [rows, buckets @ ..] = rows_of_day(&store, between).await;
    assert_eq!(buckets, [rows; 3]);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_an_earlier_version_dropped_are_known_and_the_others_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let store = Store::open(&settings).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(12);
    let day = time::day_start(BASES[0]);
    let (never, newest) = (day - 5 * DAY, day + 3 * DAY);
    for start in [day, newest] {
        let rows = rows(&mut random, &MARKET_DATA, start, 50);
        store.batches().commit(&MARKET_DATA, vec![rows]).await.unwrap();
    }
    settled(&store, &MARKET_DATA, newest).await;
    drop_day(&store, day).await;
    let kept = rows_of_day(&store, day).await;
    let late = [rows(&mut random, &MARKET_DATA, never, 30), rows(&mut random, &MARKET_DATA, day, 9)];
    store.batches().commit(&MARKET_DATA, late.to_vec()).await.unwrap();
    settled(&store, &MARKET_DATA, newest).await;
    let earlier = move |hands: &crate::store::maintenance::Hands<'_>| {
        for level in LEVELS {
            let buckets = format!("rollup.market_data_{} WHERE bucket < make_timestamp({day})", level.name());
            hands.connection.execute_batch(&format!("DELETE FROM {buckets}"))?;
        }
        let before_it = "DROP TABLE rollup.dropped; DELETE FROM schema_migrations WHERE version = 8";
        Ok(hands.connection.execute_batch(before_it)?)
    };
    store.maintenance().transact(earlier).await.unwrap();
    store.close().await.unwrap();

    let store = Store::open(&settings).unwrap();
    settled(&store, &MARKET_DATA, newest).await;
    let [rows, buckets @ ..] = rows_of_day(&store, never).await;
    assert!(rows > 0 && buckets == [rows; 3], "{buckets:?} of {rows}");
    assert_eq!(rows_of_day(&store, day).await[1..], kept[1..]);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_left_out_of_wider_buckets_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let store = Store::open(&settings).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let day = time::day_start(BASES[0]);
    for start in [day, day + 9 * DAY] {
        store.batches().commit(&MARKET_DATA, vec![rows(&mut random, &MARKET_DATA, start, 500)]).await.unwrap();
    }
    let complete = settled(&store, &MARKET_DATA, day + 9 * DAY + 14_000 * SECOND).await;
    let damage = move |hands: &crate::store::maintenance::Hands<'_>| {
        // Minutes are dropped, the last of them before wider buckets were made of them, and the versions after count as new.
        let lost = (day + 3_600 * SECOND, day + DAY);
        for level in [Level::Minute5, Level::Hour1] {
            let lost = format!("bucket >= make_timestamp({}) AND bucket < make_timestamp({})", lost.0, lost.1);
            hands.connection.execute_batch(&format!("DELETE FROM rollup.market_data_{} WHERE {lost}", level.name()))?;
        }
        hands.connection.execute_batch("INSERT INTO rollup.unchecked VALUES ('market_data')")?;
        Ok(())
    };
    store.maintenance().drop_buckets(&MARKET_DATA, FINEST, day + 5 * DAY).await.unwrap();
    store.maintenance().transact(damage).await.unwrap();
    store.close().await.unwrap();

    let store = Store::open(&settings).unwrap();
    settled(&store, &MARKET_DATA, complete + 120 * SECOND).await;
    let sql = format!("SELECT count(*) FROM market_data WHERE timestamp < make_timestamp({})", day + DAY);
    let stored = integer(&store, sql).await;
    for level in [Level::Minute5, Level::Hour1] {
        let sql = format!(
            "SELECT sum(rows)::BIGINT FROM rollup.market_data_{} WHERE bucket < make_timestamp({})",
            level.name(),
            day + DAY
        );
        assert_eq!(integer(&store, sql).await, stored, "{}", level.name());
    }
    store.close().await.unwrap();
}

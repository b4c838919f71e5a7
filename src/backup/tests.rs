//! A database with archived days, through a backup and back.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use futures::TryStreamExt;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::archive::Archive;
use crate::batch::Checksum;
use crate::config::{ArchiveSettings, StoreSettings};
use crate::location::Location;
use crate::store::{Snapshot, Statement, Store};
use crate::tables::{MARKET_DATA, MarketDataRow};
use crate::time::{DAY, Micros, SECOND};

const LIMIT: Duration = Duration::from_secs(30);
/// 2025-10-20.
const MONDAY: Micros = 1_760_918_400 * SECOND;

fn settings(path: &Path) -> StoreSettings {
    StoreSettings { path: path.to_owned(), write_interval: Duration::from_millis(10), ..StoreSettings::default() }
}

async fn quotes(store: &Store, start: Micros, price: f64) {
    let row = |number: Micros| MarketDataRow {
        timestamp: start + number * SECOND,
        symbol: format!("S{}", number % 7),
        last_price: Some(price + number as f64),
        bid: None,
        ask: None,
        volume: Some(number),
        trades: None,
        spread_bps: None,
    };
    let rows: Vec<_> = (0..5_000).map(row).collect();
    store.batches().commit(&MARKET_DATA, vec![MarketDataRow::batch(&rows).unwrap()]).await.unwrap();
}

/// Every row of both tiers.
async fn everything(store: &Store) -> Checksum {
    let question = |snapshot: &Snapshot<'_>| {
        let rows = snapshot.rows(&MARKET_DATA, Micros::MIN, Micros::MAX)?;
        let sql = include_str!("../../queries/backup/all.sql").replace("{table}", &rows);
        Ok(vec![Statement::new(sql, Vec::new())])
    };
    let batches: Vec<_> = store.reader().ask(question, LIMIT).await.unwrap().try_collect().await.unwrap();
    let mut checksum = Checksum::default();
    batches.iter().for_each(|batch| checksum.add(batch).unwrap());
    checksum
}

async fn take_one(store: &Store, place: &Place) -> Taken {
    take(&Database::of(store), place, None, &CancellationToken::new(), &|_| {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_days_go_with_the_backup_and_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&settings(&directory.path().join("desk.duckdb"))).unwrap();
    for day in 0..3 {
        quotes(&store, MONDAY + day * DAY, day as f64).await;
    }
    let hot = ArchiveSettings { hot_days: Some(0), ..ArchiveSettings::default() };
    let moved = Archive::new(&store, hot, CancellationToken::new()).run(MONDAY + 2 * DAY + SECOND).await.unwrap();
    assert_eq!(moved.len(), 2);
    let before = everything(&store).await;
    assert_eq!(before.rows(), 15_000);

    let location = Location::Directory(directory.path().join("backups"));
    let place = Place::open(&location).unwrap();
    let taken = take_one(&store, &place).await;
    assert_eq!(taken.rows, 15_000);
    let (backup, manifest) = catalog::find(&place, None).await.unwrap();
    assert_eq!(manifest.tables[0].rows, 5_000);
    assert_eq!(manifest.archived.iter().map(|file| file.rows).collect::<Vec<_>>(), [5_000, 5_000]);

    let elsewhere = settings(&directory.path().join("elsewhere/desk.duckdb"));
    let told = Mutex::new(Vec::new());
    let watcher = |progress: Progress| told.lock().unwrap().push((progress.step, progress.rows));
    restore(&place, &backup, &manifest, &elsewhere, false, &watcher).await.unwrap();
    assert!(told.lock().unwrap().contains(&(Step::Copying, 10_000)));
    let restored = Store::open(&elsewhere).unwrap();
    assert_eq!(everything(&restored).await, before);
    let days = restored.reader().archived_days(&MARKET_DATA, MONDAY, MONDAY + 3 * DAY).await.unwrap();
    assert_eq!(days, store.reader().archived_days(&MARKET_DATA, MONDAY, MONDAY + 3 * DAY).await.unwrap());
    restored.close().await.unwrap();

    // Again, into a new database whose archive is there already and belongs to the first: refused, unless it is adopted.
    // Equal files stay, others are set aside.
    let again = StoreSettings {
        path: directory.path().join("again.duckdb"),
        archive: Some(elsewhere.archive()),
        ..elsewhere.clone()
    };
    let refused = restore(&place, &backup, &manifest, &again, false, &|_| {}).await.unwrap_err();
    assert!(
        refused.to_string().contains("desk.duckdb") && refused.to_string().contains("--adopt-archive"),
        "{refused}"
    );
    assert!(!again.path.exists());
    let file = again.archive().directory().unwrap().join(&manifest.archived[0].file);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    restore(&place, &backup, &manifest, &again, true, &|_| {}).await.unwrap();
    let beside = std::fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let kept = beside.into_iter().find(|path| *path != file).expect("the other file is set aside");
    assert_eq!(std::fs::read(kept).unwrap(), bytes);
    let adopted = Store::open(&again).unwrap();
    adopted.ownership().confirm().await.unwrap();
    assert_eq!(everything(&adopted).await, before);
    adopted.close().await.unwrap();
    let first = Store::open(&elsewhere).unwrap();
    let refused = first.ownership().confirm().await.unwrap_err();
    assert!(refused.to_string().contains("again.duckdb"), "{refused}");
    first.close().await.unwrap();

    // Damage in the backup is found.
    let file = directory.path().join("backups").join(&backup).join("archive").join(&manifest.archived[1].file);
    std::fs::write(&file, &bytes).unwrap();
    let damaged = verify(&place, &backup, &manifest, &|_| {}).await.unwrap_err();
    assert!(matches!(damaged, BackupError::Damaged { .. }), "{damaged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_reads_one_moment_and_waits_for_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&settings(&directory.path().join("desk.duckdb"))).unwrap();
    quotes(&store, MONDAY, 1.0).await;
    let transaction = store.reader().held().begin(Duration::MAX).await.unwrap();
    quotes(&store, MONDAY, 2.0).await;
    quotes(&store, MONDAY + DAY, 2.0).await;
    let of_moment = spans::Spans::of(&MARKET_DATA, &transaction).await.unwrap();
    assert_eq!(of_moment.rows, 5_000, "what came in since is not there");
    // A client that leaves an answer half read does not stand in the way of the next statement.
    let statement = || Statement::new(fill(include_str!("../../queries/backup/all.sql"), &MARKET_DATA), Vec::new());
    let mut half = transaction.query(statement()).await.unwrap();
    half.try_next().await.unwrap();
    drop(half);
    let batches: Vec<_> = transaction.query(statement()).await.unwrap().try_collect().await.unwrap();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 5_000);
    // Its end is waited for: it holds nothing up afterwards.
    drop(transaction);
    assert_eq!(everything(&store).await.rows(), 10_000);
    store.reader().held().begin(Duration::MAX).await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_backups_of_one_second_the_newest_stay() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&settings(&directory.path().join("desk.duckdb"))).unwrap();
    let place = Place::open(&Location::Directory(directory.path().join("backups"))).unwrap();
    let (database, stop) = (Database::of(&store), CancellationToken::new());
    let mut taken = Vec::new();
    for _ in 0..6 {
        taken.push(take(&database, &place, Some(2), &stop, &|_| {}).await.unwrap().backup);
    }
    let left = catalog::complete(&place).await.unwrap();
    assert_eq!(left.iter().map(|entry| entry.name.to_string()).collect::<Vec<_>>(), taken[4..]);
    store.close().await.unwrap();
}

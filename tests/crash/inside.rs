//! The database and its backups, opened by the library while no program has them.

use std::path::Path;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use observability_api::archive::Archive;
use observability_api::backup::{self, Place, catalog};
use observability_api::config::{ArchiveSettings, StoreSettings};
use observability_api::location::Location;
use observability_api::store::rollup_text::Wanted;
use observability_api::store::{Snapshot, Statement, Store, rollup_text};
use observability_api::tables::{TABLES, TIME_COLUMN, TRADES, Table};
use tokio_util::sync::CancellationToken;

use crate::kill::BACKUPS;
use crate::rows::{Calendar, Micros};
use crate::stored::{Stored, by_key};

const LIMIT: Duration = Duration::from_secs(60);

fn settings(directory: &Path) -> StoreSettings {
    StoreSettings { path: directory.join("data/observability.duckdb"), ..StoreSettings::default() }
}

/// Every bucket that is kept is what its rows say, and every complete backup is whole.
pub async fn check(directory: &Path, calendar: &Calendar) {
    let store = Store::open(&settings(directory)).unwrap();
    for table in TABLES.into_iter().filter(|table| !std::ptr::eq(*table, &TRADES)) {
        check_buckets(&store, table, calendar).await;
    }
    // What trades left behind in archived days is settled by the archive.
    let hot = ArchiveSettings { hot_days: Some(0), ..ArchiveSettings::default() };
    let archive = Archive::new(&store, hot, CancellationToken::new());
    let moved = archive.run(chrono::Utc::now().timestamp_micros()).await.unwrap();
    assert!(moved.iter().all(|day| day.error.is_none()), "{moved:?}");
    for table in TABLES {
        check_buckets(&store, table, calendar).await;
    }
    store.close().await.unwrap();
    let place = Place::open(&Location::Directory(directory.join(BACKUPS))).unwrap();
    for entry in catalog::complete(&place).await.unwrap() {
        backup::verify(&place, &entry.name.to_string(), &entry.manifest, &|_| {}).await.unwrap();
    }
}

async fn check_buckets(store: &Store, table: &'static Table, calendar: &Calendar) {
    let rolled = store.reader().look(move |snapshot| Ok(snapshot.rolled(table))).await.unwrap();
    for rolled in rolled {
        // Sums of what clients sent are exact; those of what the program has seen of its machine are not.
        let (from, until) = (rolled.from.max(calendar.kept_from()), rolled.until.min(calendar.end()));
        let kept =
            buckets(store, table, move |_| Ok(rollup_text::span(table, Wanted::All, rolled.level, (from, until), "")));
        let anew = buckets(store, table, move |snapshot| {
            let rows = snapshot.rows(table, from, until)?;
            let bucket = rollup_text::bucket(TIME_COLUMN, rolled.level.width());
            Ok(rollup_text::of_rows(table, Wanted::All, &rows, &bucket, (from, until), ""))
        });
        let (kept, anew) = (kept.await, anew.await);
        let what = format!("{} {}", table.name, rolled.level.name());
        assert_eq!(kept.num_rows(), anew.num_rows(), "{what}");
        for (position, field) in anew.schema().fields().iter().enumerate() {
            assert_eq!(kept.column(position), anew.column(position), "{what} {}", field.name());
        }
    }
}

/// All buckets that a statement gives, in order.
async fn buckets<Q>(store: &Store, table: &'static Table, statement: Q) -> RecordBatch
where
    Q: FnOnce(&Snapshot<'_>) -> Result<String, observability_api::batch::ReadError> + Send + 'static,
{
    let key = table.label.map_or("bucket".to_owned(), |label| format!("bucket, {label}"));
    let question = move |snapshot: &Snapshot<'_>| {
        let sql = format!("SELECT * FROM ({}) ORDER BY {key}", statement(snapshot)?);
        Ok(vec![Statement::new(sql, Vec::new())])
    };
    let answer = store.reader().ask(question, LIMIT).await.unwrap();
    let schema = answer.schema().clone();
    let batches: Vec<RecordBatch> = answer.try_collect().await.unwrap();
    arrow::compute::concat_batches(&schema, &batches).unwrap()
}

/// The database that the newest backup makes has the rows that were there when it was taken: all of them.
pub async fn check_newest_backup(directory: &Path, stored: &Stored) {
    let place = Place::open(&Location::Directory(directory.join(BACKUPS))).unwrap();
    let newest = catalog::complete(&place).await.unwrap().pop().expect("a backup");
    let restored = tempfile::TempDir::new().unwrap();
    let settings = settings(restored.path());
    backup::restore(&place, &newest.name.to_string(), &newest.manifest, &settings, false, &|_| {}).await.unwrap();
    let store = Store::open(&settings).unwrap();
    assert!(by_key(&all(&store, TABLES[0]).await) == stored.quotes, "quotes of the backup");
    assert!(by_key(&all(&store, &TRADES).await) == stored.trades, "trades of the backup");
    store.close().await.unwrap();
}

async fn all(store: &Store, table: &'static Table) -> Vec<RecordBatch> {
    let question = move |snapshot: &Snapshot<'_>| {
        let rows = snapshot.rows(table, Micros::MIN, Micros::MAX)?;
        Ok(vec![Statement::new(format!("SELECT * FROM {rows}"), Vec::new())])
    };
    store.reader().ask(question, LIMIT).await.unwrap().try_collect().await.unwrap()
}

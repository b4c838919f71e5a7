//! The database and its backups, opened by the library while no program has them.

use std::path::Path;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use observability_api::archive::Archive;
use observability_api::backup::{self, Place, catalog};
use observability_api::config::{ArchiveSettings, StoreSettings};
use observability_api::location::Location;
use observability_api::store::rollup_text::Wanted;
use observability_api::store::{LEVELS, Level, Snapshot, Statement, Store, rollup_text};
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

/// What is kept of a table in buckets is what its rows say, but for the buckets that are marked to be refreshed: those are
/// answered from rows.
async fn check_buckets(store: &Store, table: &'static Table, calendar: &Calendar) {
    for level in LEVELS {
        let what = format!("{} {}", table.name, level.name());
        let calendar = (calendar.kept_from(), calendar.end());
        // In one transaction: buckets are refreshed meanwhile.
        let question = move |snapshot: &Snapshot<'_>| {
            let rolled = snapshot.rolled(table).into_iter().find(|rolled| rolled.level == level);
            // Sums of what clients sent are exact; those of what the program has seen of its machine are not.
            let range = rolled.map_or((0, 0), |rolled| (rolled.from.max(calendar.0), rolled.until.min(calendar.1)));
            let kept = rollup_text::span(table, Wanted::All, level, range, "");
            let bucket = rollup_text::bucket(TIME_COLUMN, level.width());
            let rows = snapshot.rows(table, range.0, range.1)?;
            let anew = rollup_text::of_rows(table, Wanted::All, &rows, &bucket, range, "");
            Ok([(kept, false), (anew, true)].map(|(buckets, anew)| fresh(table, level, &buckets, anew)).into())
        };
        let answer = store.reader().ask(question, LIMIT).await.unwrap();
        let schema = answer.schema().clone();
        let batches: Vec<RecordBatch> = answer.try_collect().await.unwrap();
        let all = arrow::compute::concat_batches(&schema, &batches).unwrap();
        let is_anew = all.column(0).as_boolean();
        let anew = arrow::compute::filter_record_batch(&all, is_anew).unwrap();
        let kept = arrow::compute::filter_record_batch(&all, &arrow::compute::not(is_anew).unwrap()).unwrap();
        assert_eq!(kept.num_rows(), anew.num_rows(), "{what}");
        for (position, field) in schema.fields().iter().enumerate().skip(1) {
            assert_eq!(kept.column(position), anew.column(position), "{what} {}", field.name());
        }
    }
}

/// Those of `buckets` that are not marked to be refreshed, in order; the first column says which of the two sides they are.
fn fresh(table: &Table, level: Level, buckets: &str, anew: bool) -> Statement {
    let key = table.label.map_or("bucket".to_owned(), |label| format!("bucket, {label}"));
    let label = table.label.map_or("''".to_owned(), |label| format!("b.{label}"));
    let sql = format!(
        "SELECT {anew} AS anew, * FROM ({buckets}) b WHERE NOT EXISTS (SELECT 1 FROM rollup.stale s \
         WHERE s.table_name = '{}' AND s.label = {label} AND s.bucket >= b.bucket \
         AND s.bucket < b.bucket + to_microseconds({})) ORDER BY {key}",
        table.name,
        level.width(),
    );
    Statement::new(sql, Vec::new())
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

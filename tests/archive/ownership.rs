//! One archive belongs to one database.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Ended, Launch, S3, Server};
use crate::desk::{DAY, FIRST, SECOND, launch, push_quotes, quote};

const ROWS: &str = "SELECT count(*) FROM market_data WHERE timestamp < '2025-10-24'";

/// Where the archive is that everybody here wants.
enum Place {
    Directory,
    Bucket(S3),
}

impl Place {
    fn known_to(&self, launch: Launch) -> Launch {
        match self {
            Self::Directory => launch.arguments(["--archive-location", "shared"]),
            Self::Bucket(s3) => s3.known_to(launch.arguments(["--archive-location", &s3.location("shared")])),
        }
    }

    /// Runs a command with this archive.
    async fn run(&self, directory: &Arc<TempDir>, arguments: &[&str]) -> Ended {
        let (command, rest) = arguments.split_at(1);
        let launch = self.known_to(Launch::new().directory(directory).arguments(command)).arguments(rest);
        tokio::task::spawn_blocking(move || launch.run()).await.unwrap()
    }

    async fn done(&self, directory: &Arc<TempDir>, arguments: &[&str]) -> String {
        let ended = self.run(directory, arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.out
    }

    async fn refused(&self, directory: &Arc<TempDir>, arguments: &[&str], told: &[&str]) {
        let ended = self.run(directory, arguments).await;
        assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
        let said = ended.out + &ended.err;
        for told in told {
            assert!(said.contains(told), "{arguments:?} should tell {told:?}: {said}");
        }
    }

    /// A desk with two rows.
    async fn desk(&self) -> (Arc<TempDir>, Server) {
        let directory = Arc::new(TempDir::new().unwrap());
        let server = self.start(&directory, &[]).await;
        push_quotes(&server, &quotes(&[1, 2])).await;
        (directory, server)
    }

    async fn start(&self, directory: &Arc<TempDir>, arguments: &[&str]) -> Server {
        self.known_to(launch().directory(directory).arguments(arguments)).start().await
    }
}

async fn places() -> Vec<Place> {
    let bucket = tokio::task::spawn_blocking(S3::start).await.unwrap();
    [Place::Directory].into_iter().chain(bucket.map(Place::Bucket)).collect()
}

async fn count(server: &Server) -> Value {
    server.sql_value(ROWS).await
}

fn quotes(seconds: &[i64]) -> Vec<observability_api::tables::MarketDataRow> {
    seconds.iter().map(|second| quote(FIRST + second * SECOND, "A", *second)).collect()
}

#[tokio::test]
async fn a_restored_database_is_refused_the_archive_of_the_first_until_it_adopts_it() {
    for place in places().await {
        let (directory, mut first) = place.desk().await;
        place.done(&directory, &["backup", "--to", "backups"]).await;
        let restore = ["restore", "backups", "--database", "new/desk.duckdb"];
        place.done(&directory, &["archive"]).await;
        push_quotes(&first, &quotes(&[3])).await;
        place.done(&directory, &["archive"]).await;
        assert_eq!(count(&first).await, 3);

        // At once, while the first runs: at the restore, and when the database comes from elsewhere.
        let told = ["observability.duckdb", "--adopt-archive", "--archive-location"];
        place.refused(&directory, &restore, &told).await;
        assert!(!directory.path().join("new/desk.duckdb").exists());
        let elsewhere = ["restore", "backups", "--database", "new/desk.duckdb", "--archive-location", "own"];
        let ended = Launch::new().directory(&directory).arguments(elsewhere).run();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        for command in [
            &["archive", "--database", "new/desk.duckdb"][..],
            &["retention", "--database", "new/desk.duckdb", "--retain", "market_data=1d"],
            &["serve", "--database", "new/desk.duckdb", "--port", "0"],
        ] {
            place.refused(&directory, command, &["belongs to the database", "observability.duckdb", "--adopt"]).await;
        }
        assert_eq!(count(&first).await, 3, "nothing of it was touched");
        assert_eq!(first.terminate().await, Some(0));
        drop(first);
        let first = place.start(&directory, &[]).await;
        assert_eq!(count(&first).await, 3, "after a restart");

        // The first is gone for good: its place and its archive go to another one.
        drop(first);
        std::fs::remove_file(directory.path().join("data/observability.duckdb")).unwrap();
        // There is a write-ahead log if something was written since the start.
        let _there_may_be_none = std::fs::remove_file(directory.path().join("data/observability.duckdb.wal"));
        let restore = ["restore", "backups"];
        place.refused(&directory, &restore, &["--adopt-archive"]).await;
        place.done(&directory, &["restore", "backups", "--adopt-archive"]).await;
        let mut restored = place.start(&directory, &[]).await;
        assert_eq!(count(&restored).await, 2, "as of the backup");
        place.done(&directory, &["archive"]).await;
        assert_eq!(count(&restored).await, 2);
        push_quotes(&restored, &quotes(&[4])).await;
        place.done(&directory, &["archive"]).await;
        assert_eq!(restored.terminate().await, Some(0));
        let restored = place.start(&directory, &[]).await;
        assert_eq!(count(&restored).await, 3);
        if matches!(place, Place::Directory) {
            let kept = files(&directory.path().join("shared"), "rows.parquet.unlisted-");
            assert_eq!(kept, 1, "the file of the first database is still there");
        }
    }
}

#[tokio::test]
async fn a_copy_of_a_database_is_refused_once_the_other_has_gone_on() {
    for place in places().await {
        let (directory, mut first) = place.desk().await;
        place.done(&directory, &["archive"]).await;
        assert_eq!(first.terminate().await, Some(0));
        std::fs::create_dir(directory.path().join("copy")).unwrap();
        let copy = directory.path().join("copy/desk.duckdb");
        std::fs::copy(directory.path().join("data/observability.duckdb"), &copy).unwrap();

        let first = place.start(&directory, &[]).await;
        let mut second = place.start(&directory, &["--database", "copy/desk.duckdb"]).await;
        push_quotes(&first, &quotes(&[3])).await;
        place.done(&directory, &["archive"]).await;
        push_quotes(&second, &quotes(&[4, 5])).await;
        place.refused(&directory, &["archive", "--database", "copy/desk.duckdb"], &["another copy"]).await;
        assert_eq!(count(&first).await, 3);
        assert_eq!(second.terminate().await, Some(0));
        let start = ["serve", "--database", "copy/desk.duckdb", "--port", "0"];
        place.refused(&directory, &start, &["another copy", "observability.duckdb", "--adopt"]).await;
        drop(first);
        // The archive cannot be taken over by accident: only by whoever says so.
        let taken = ["archive", "--adopt", "--database", "copy/desk.duckdb"];
        let ended = place.run(&directory, &taken).await;
        assert!(ended.code.is_some() && !(ended.out + &ended.err).contains("another copy"));
        place.refused(&directory, &["archive"], &["another copy", "copy/desk.duckdb"]).await;
    }
}

#[tokio::test]
async fn an_archive_of_an_older_version_goes_to_the_database_that_lists_its_days() {
    for place in places().await {
        let (directory, mut first) = place.desk().await;
        place.done(&directory, &["archive"]).await;
        assert_eq!(first.terminate().await, Some(0));
        place.forget_owner(&directory).await;
        let new = ["serve", "--database", "new.duckdb", "--port", "0"];
        place.refused(&directory, &new, &["does not say whose they are", "--adopt"]).await;
        let mut first = place.start(&directory, &[]).await;
        assert_eq!(count(&first).await, 2);
        assert_eq!(first.terminate().await, Some(0));
        place.refused(&directory, &new, &["belongs to the database"]).await;
        push_quotes(&place.start(&directory, &[]).await, &[quote(FIRST + DAY, "A", 1)]).await;
        assert!(place.done(&directory, &["archive"]).await.ends_with("1 days with 1 rows archived\n"));
    }
}

impl Place {
    /// As if an older version had written the archive.
    async fn forget_owner(&self, directory: &Arc<TempDir>) {
        match self {
            Self::Directory => std::fs::remove_file(directory.path().join("shared/identity.json")).unwrap(),
            Self::Bucket(s3) => s3.remove("shared/identity.json").await,
        }
    }
}

/// Files below a directory whose names begin so.
fn files(directory: &Path, name: &str) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.path().is_dir() {
            true => files(&entry.path(), name),
            false => usize::from(entry.file_name().to_string_lossy().starts_with(name)),
        })
        .sum()
}

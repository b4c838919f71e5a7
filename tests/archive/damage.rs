//! Archived days whose files are not what they were.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::common::{Launch, S3, Server, eventually};
use crate::desk::{DAY, FIRST, SECOND, command, done, launch, operator, push_quotes, quote};

const MONDAY: &str = "SELECT count(*) FROM market_data WHERE timestamp < '2025-10-22'";
const TUESDAY: &str = "SELECT count(*) FROM market_data WHERE timestamp >= '2025-10-22' AND timestamp < '2025-10-23'";

/// Two archived days of 50 and 60 rows.
async fn days(server: &Server) {
    let of = |day: i64, rows: i64| {
        (0..rows).map(|row| quote(FIRST + day * DAY + row * SECOND, "A", row)).collect::<Vec<_>>()
    };
    push_quotes(server, &of(0, 50)).await;
    push_quotes(server, &of(1, 60)).await;
    operator(server, "archive").await;
}

/// What becomes of a file, in words and in deed.
type Damage = (&'static str, fn(&Path));

/// Everything that can happen to a file.
fn damages() -> Vec<Damage> {
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x04;
        fs::write(path, bytes).unwrap();
    };
    let cut = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    vec![
        ("a flipped bit", flip),
        ("half of it", cut),
        ("nothing", |path| fs::write(path, "").unwrap()),
        ("something else", |path| fs::write(path, "no Parquet at all").unwrap()),
        ("zeros", |path| fs::write(path, vec![0; fs::metadata(path).unwrap().len() as usize]).unwrap()),
        ("a directory", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
            fs::write(path.join("inside"), "x").unwrap();
        }),
        ("gone", |path| fs::remove_file(path).unwrap()),
    ]
}

/// The files of the first day below a directory.
fn first_day(directory: &Path) -> PathBuf {
    let day = directory.join("market_data/date=2025-10-21");
    // Two queries at once may both be fetching it.
    let is_complete = |path: &PathBuf| !path.to_string_lossy().contains(".tmp-");
    let files = fs::read_dir(&day).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(is_complete).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_damaged_copy_is_fetched_again_after_a_start_and_while_the_server_runs() {
    let Some(s3) = S3::start() else { return };
    let location = s3.location("archive");
    let started = || s3.known_to(launch().arguments(["--archive-location", &location]));
    let mut server = started().start().await;
    days(&server).await;
    assert_eq!(server.sql_value(MONDAY).await, 50);
    let cache = server.path().join("data/archive-cache/observability");
    for (what, damage) in damages() {
        damage(&first_day(&cache));
        assert_eq!(server.sql_value(MONDAY).await, 50, "{what}, while the server runs");
        damage(&first_day(&cache));
        assert_eq!(server.terminate().await, Some(0));
        let again = started().directory(&server.directory).start().await;
        server = again;
        assert_eq!(server.sql_value(MONDAY).await, 50, "{what}, after a start");
        assert_eq!(server.sql_value(TUESDAY).await, 60);
    }
}

#[tokio::test]
async fn a_damaged_file_of_a_directory_is_named_and_holds_up_nothing_else() {
    let mut server = launch().start().await;
    days(&server).await;
    let path = first_day(&server.path().join("data/archive/observability"));
    let whole = fs::read(&path).unwrap();
    for (what, damage) in damages() {
        damage(&path);
        for after_a_start in [false, true] {
            if after_a_start {
                assert_eq!(server.terminate().await, Some(0), "{what}");
                let again = launch().directory(&server.directory).start().await;
                server = again;
            }
            let answer = server.post("/api/sql", &json!({"sql": MONDAY})).await;
            assert_eq!(answer.status, 500, "{what}: {}", answer.text());
            let told = answer.text();
            assert!(told.contains("date=2025-10-21/rows.parquet") && told.contains("backup"), "{what}: {told}");
            assert_eq!(server.sql_value(TUESDAY).await, 60, "{what}: other days answer");
            push_quotes(&server, &[quote(FIRST + 9 * DAY, "A", 1)]).await;
            server.get("/health/ready").await;
        }
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap();
        }
        fs::write(&path, &whole).unwrap();
        assert_eq!(server.sql_value(MONDAY).await, 50, "{what}: the file is back");
    }
    // A day that cannot be merged stays as it is, and is told.
    push_quotes(&server, &[quote(FIRST, "LATE", 1)]).await;
    fs::write(&path, "").unwrap();
    let ended = command(&server, Launch::new(), &["archive"]).await;
    assert!(ended.code == Some(1) && ended.out.contains("date=2025-10-21/rows.parquet"), "{ended:?}");
    fs::write(&path, &whole).unwrap();
    done(&server, &["archive"]).await;
    assert_eq!(server.sql_value(MONDAY).await, 51);
}

#[tokio::test]
async fn a_file_that_is_gone_is_told_once_and_not_at_every_try_of_a_rollup() {
    let server = launch().start().await;
    days(&server).await;
    push_quotes(&server, &[quote(FIRST + 5 * DAY, "A", 1)]).await;
    done(&server, &["backup", "--to", "backups"]).await;
    done(&server, &["restore", "backups", "--database", "new/desk.duckdb"]).await;
    let file = first_day(&server.path().join("new/archive/desk"));
    let aside = file.with_extension("aside");
    fs::rename(&file, &aside).unwrap();
    let arguments = ["--database", "new/desk.duckdb", "--log-level", "info,observability_api::store::rollup=debug"];
    let restored = launch().directory(&server.directory).arguments(arguments).start().await;
    let lines = |of: &str| restored.log().lines().filter(|line| line.contains(of)).count();
    eventually("it has been tried some times", async || (lines("a rollup is still not made") > 3).then_some(())).await;
    assert_eq!(lines("a rollup was not made"), 1, "{}", restored.log());
    fs::rename(&aside, &file).unwrap();
    eventually("rollups are made", async || {
        let components = restored.get("/api/system/components").await.expect(200).json();
        (components["components"]["rollups"]["tables"]["market_data"]["lag_seconds"] == json!(0.0)).then_some(())
    })
    .await;
    assert_eq!(restored.sql_value(MONDAY).await, 50);
}

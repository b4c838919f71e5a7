//! Days move, answers stay.

use std::path::Path;

use crate::answers;
use crate::common::Launch;
use crate::desk::{DAY, FIRST, SECOND, command, done, file, fill, launch, push_quotes, push_trades, quote, trade};

#[tokio::test]
async fn answers_are_the_same_to_the_byte_before_and_after_archiving() {
    let mut server = launch().start().await;
    fill(&server).await;
    let before = answers::all(&server).await;

    let day = serde_json::json!({"sql": "SELECT * FROM market_data WHERE timestamp < '2025-10-22'"});
    let csv = server.post("/api/sql?format=csv", &day).await.expect(200).body.len() as u64;
    let planned = done(&server, &["archive", "--dry-run"]).await;
    assert!(planned.contains("market_data        2025-10-21  12,960 rows"), "{planned}");
    assert!(planned.ends_with("9 days with 44,700 rows would be archived\n"), "{planned}");
    let moved = done(&server, &["archive"]).await;
    println!("{moved}");
    assert!(moved.ends_with("9 days with 44,700 rows archived\n"), "{moved}");

    answers::same(&server, &before, "archived").await;
    let parquet = std::fs::metadata(file(&server, "market_data", "2025-10-21")).unwrap().len();
    println!("a day of market_data: {csv} bytes of CSV, {parquet} of Parquet, 1/{:.1}", csv as f64 / parquet as f64);
    assert!(parquet * 4 <= csv, "{parquet} of {csv}");
    assert!(done(&server, &["archive"]).await.starts_with("0 days"), "nothing is left to do");

    assert_eq!(server.terminate().await, Some(0));
    let server = launch().directory(&server.directory).start().await;
    answers::same(&server, &before, "after a restart").await;
}

#[tokio::test]
async fn rows_that_come_too_late_replace_archived_ones_and_join_them() {
    let server = launch().start().await;
    let control = launch().start().await;
    fill(&server).await;
    fill(&control).await;
    done(&server, &["archive"]).await;
    // One replaces, one is new, one moves a fill to another archived day and one to today.
    let late = [quote(FIRST + 40 * SECOND, "MSFT", 64), quote(FIRST + DAY + 41 * SECOND, "NEW", 72)];
    let id = |day: i64, number: i64| format!("{}-{number}", FIRST + day * DAY);
    let now = chrono::Utc::now().timestamp_micros();
    let fills = [
        trade(&id(0, 17), FIRST + DAY, 7.0),
        trade(&id(1, 3), FIRST, 8.0),
        trade(&id(2, 4), now, 9.0),
        trade("new", FIRST + DAY + SECOND, 10.0),
    ];
    for server in [&server, &control] {
        push_quotes(server, &late).await;
        push_trades(server, &fills).await;
    }
    let expected = answers::all(&control).await;
    answers::same(&server, &expected, "late rows in the database").await;
    done(&server, &["archive"]).await;
    answers::same(&server, &expected, "late rows in the archive").await;
    assert!(done(&server, &["archive"]).await.starts_with("0 days"));
    // What was archived stays one row a key when it is written once more.
    for server in [&server, &control] {
        push_quotes(server, &late).await;
        push_trades(server, &fills).await;
    }
    answers::same(&server, &expected, "the same rows again").await;
}

#[tokio::test]
async fn a_day_that_cannot_be_written_stays_in_the_database() {
    let server = launch().start().await;
    fill(&server).await;
    let before = answers::all(&server).await;
    let directory = server.path().join("data/archive/observability");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("trades"), "a file where a directory should be").unwrap();
    let ended = command(&server, Launch::new(), &["archive"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("stays: cannot use"), "{ended:?}");
    assert!(ended.out.ends_with("6 days with 43,200 rows archived\n"), "{ended:?}");
    answers::same(&server, &before, "trades could not be archived").await;
    std::fs::remove_file(directory.join("trades")).unwrap();
    done(&server, &["archive"]).await;
    answers::same(&server, &before, "trades are archived too").await;
}

#[tokio::test]
async fn an_orderly_end_in_the_middle_of_archiving_loses_nothing() {
    let mut server = launch().start().await;
    fill(&server).await;
    let before = answers::all(&server).await;
    let archiving = tokio::spawn({
        let launch = Launch::new().directory(&server.directory).arguments(["archive"]);
        tokio::task::spawn_blocking(move || launch.run())
    });
    crate::common::eventually("a day is in the archive", async || {
        file(&server, "market_data", "2025-10-21").exists().then_some(())
    })
    .await;
    assert_eq!(server.terminate().await, Some(0));
    drop(archiving.await);
    assert_eq!(unfinished(&server.path().join("data/archive")), 0);
    let server = launch().directory(&server.directory).start().await;
    answers::same(&server, &before, "after the end").await;
}

/// Files that were never completed.
pub fn unfinished(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| match path.is_dir() {
            true => unfinished(&path),
            false => usize::from(path.to_string_lossy().contains(".tmp-")),
        })
        .sum()
}

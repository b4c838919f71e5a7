//! The program ends in the middle of it.

use crate::common::{Launch, Server, eventually};
use crate::desk::{backups, begun, beside, command, directory, done, quotes, refused};

/// Where backups go when no place is named.
const PLACE: &str = "data/observability.backups";
const ROWS: i64 = 400_000;

#[tokio::test]
async fn a_killed_backup_is_no_backup_and_the_next_one_clears_it_away() {
    let mut server = Server::start().await;
    quotes(&server, ROWS).await;
    let response = begun(&server).await;
    let directory = eventually("files are written", async || backups(server.path()).pop()).await;
    server.kill();
    drop(response);
    assert!(!directory.join("manifest.json").exists(), "killed in the middle");
    for arguments in [&["backup", "--list"][..], &["restore", PLACE, "--database", "elsewhere.duckdb"]] {
        let said = refused(command(beside(&server), arguments).await);
        assert!(said.contains("no complete backup"), "{said}");
    }
    assert!(!server.path().join("elsewhere.duckdb").exists());

    let again = Launch::new().directory(&server.directory).start().await;
    done(command(beside(&again), &["backup"]).await);
    assert!(again.log().contains("removing a backup that was not finished"), "{}", again.log());
    let found = backups(again.path());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].join("manifest.json").exists());
    done(command(beside(&again), &["restore", PLACE, "--database", "elsewhere.duckdb"]).await);
}

#[tokio::test]
async fn a_client_that_goes_away_stops_the_backup_and_nothing_is_left_of_it() {
    let server = Server::start().await;
    quotes(&server, ROWS).await;
    let response = begun(&server).await;
    eventually("files are written", async || backups(server.path()).pop()).await;
    drop(response);
    eventually("what was written is removed", async || backups(server.path()).is_empty().then_some(())).await;
    eventually("the reason is in the log", async || {
        server.log().contains("the backup was stopped before its end").then_some(())
    })
    .await;
    assert_eq!(server.sql_value("SELECT count(*) FROM market_data").await, ROWS, "the server goes on");
    done(command(beside(&server), &["backup"]).await);
}

#[tokio::test]
async fn one_backup_is_taken_at_a_time() {
    let server = Server::start().await;
    quotes(&server, ROWS).await;
    let mut response = begun(&server).await;
    let said = refused(command(beside(&server), &["backup"]).await);
    assert!(said.contains("running already"), "{said}");
    let mut last = bytes::Bytes::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        last = chunk;
    }
    assert!(String::from_utf8_lossy(&last).contains(r#""backup":"#), "{last:?}");
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_stops_its_backup_too() {
    let mut server = Server::start().await;
    quotes(&server, ROWS).await;
    let mut response = begun(&server).await;
    server.signal("TERM");
    let mut said = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        said.extend_from_slice(&chunk);
    }
    assert_eq!(server.ended().await, Some(0));
    let said = String::from_utf8(said).unwrap();
    let last = said.lines().last().unwrap();
    assert!(last.contains("stopped before its end"), "{last}");
    assert_eq!(backups(server.path()).len(), 0);
    let wal = server.path().join("data/observability.duckdb.wal");
    assert!(!wal.exists() || wal.metadata().unwrap().len() == 0, "the last checkpoint was not held up");
}

#[tokio::test]
async fn a_killed_restore_leaves_nothing_that_looks_like_a_database() {
    let server = Server::start().await;
    quotes(&server, ROWS).await;
    done(command(beside(&server), &["backup"]).await);
    let from = server.path().join("data/observability.backups");
    let elsewhere = directory();
    let path = elsewhere.path().join("desk.duckdb");
    let arguments = ["restore", from.to_str().unwrap(), "--database", "desk.duckdb"];
    let mut restoring = Launch::new().directory(&elsewhere).arguments(arguments).spawn();
    eventually("rows are on their way", async || elsewhere.path().join("desk.duckdb.restoring").exists().then_some(()))
        .await;
    restoring.kill().unwrap();
    restoring.wait().unwrap();
    assert!(!path.exists());
    // What is left does not stand in the way, and goes.
    done(command(Launch::new().directory(&elsewhere), &arguments).await);
    let mut files: Vec<_> =
        std::fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["desk.duckdb", "desk.duckdb.lock"]);
    let restored = Launch::new().directory(&elsewhere).arguments(["--database", "desk.duckdb"]).start().await;
    assert_eq!(restored.sql_value("SELECT count(*) FROM market_data").await, ROWS);
}

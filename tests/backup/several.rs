//! More than one backup.

use std::path::PathBuf;

use serde_json::json;

use crate::common::{Launch, Server, eventually};
use crate::desk::{backups, beside, command, directory, done, refused};

/// Where backups go when no place is named.
const PLACE: &str = "data/observability.backups";

fn names(paths: &[PathBuf]) -> Vec<&str> {
    paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect()
}

#[tokio::test]
async fn the_oldest_go_and_each_can_be_restored_by_its_name() {
    let mut server = Server::start().await;
    for price in 1..=4 {
        let row = json!({"timestamp": "2025-10-21T12:00:00", "symbol": "A", "last_price": price});
        server.ingest("market_data", &row).await;
        let keep: &[&str] = if price == 4 { &["backup", "--keep", "2"] } else { &["backup"] };
        let said = done(command(beside(&server), keep).await);
        assert_eq!(said.matches("removed").count(), if price == 4 { 2 } else { 0 }, "{said}");
    }
    // What is not named like a backup is not ours.
    std::fs::create_dir(server.path().join("data/observability.backups/notes")).unwrap();
    let found = backups(server.path());
    let found = names(&found);
    assert_eq!(found.len(), 3, "{found:?}");
    let listed = done(command(beside(&server), &["backup", "--list"]).await);
    assert_eq!(listed.lines().map(|line| &line[..20]).collect::<Vec<_>>(), found[..2], "oldest first: {listed}");

    for (name, database, price) in
        [(found[0], "a.duckdb", 3.0), (found[1], "b.duckdb", 4.0), ("latest", "c.duckdb", 4.0)]
    {
        done(command(beside(&server), &["restore", PLACE, "--backup", name, "--database", database]).await);
        let restored = Launch::new().directory(&server.directory).arguments(["--database", database]).start().await;
        assert_eq!(restored.sql_value("SELECT last_price FROM market_data").await, price);
    }
    let missing = ["restore", PLACE, "--backup", "2001-01-01T00-00-00Z", "--database", "d.duckdb"];
    let said = refused(command(beside(&server), &missing).await);
    assert!(said.contains("2001-01-01T00-00-00Z") && said.contains("--list"), "{said}");

    // Without a server the file is opened for as long as it takes.
    server.terminate().await;
    let elsewhere = directory();
    let to = elsewhere.path().to_str().unwrap();
    done(command(beside(&server), &["backup", "--to", to]).await);
    assert_eq!(done(command(beside(&server), &["backup", "--list", "--to", to]).await).lines().count(), 1);
}

/// Two databases in one directory, and a backup of each in one place, that of the first twice.
async fn two_databases() -> (Server, Server) {
    let first = Server::start().await;
    let second = Launch::new().directory(&first.directory).arguments(["--database", "second.duckdb"]).start().await;
    for (server, price) in [(&first, 1.0), (&second, 2.0)] {
        let row = json!({"timestamp": "2025-10-21T12:00:00", "symbol": "A", "last_price": price});
        server.ingest("market_data", &row).await;
    }
    done(command(beside(&first), &["backup"]).await);
    done(command(beside(&first), &["backup"]).await);
    (first, second)
}

#[tokio::test]
async fn databases_that_share_a_place_leave_each_others_backups_alone() {
    let (first, second) = two_databases().await;
    let of_first = backups(first.path());
    // As a backup that the first is taking just now.
    let unfinished = first.path().join(PLACE).join("2099-01-01T00-00-00Z");
    std::fs::create_dir(&unfinished).unwrap();
    std::fs::copy(of_first[0].join("database.json"), unfinished.join("database.json")).unwrap();
    let of_second = ["backup", "--to", PLACE, "--database", "second.duckdb", "--keep", "1"];
    for _ in 0..2 {
        done(command(beside(&second), &of_second).await);
    }
    let found = backups(first.path());
    assert!(of_first.iter().chain([&unfinished]).all(|backup| found.contains(backup)), "{found:?}");
    assert_eq!(found.len(), 4, "and one of the second: {found:?}");

    let listed = done(command(beside(&first), &["backup", "--list"]).await);
    assert_eq!(listed.matches(" of database ").count(), 3, "{listed}");
    for arguments in [&["restore", PLACE, "--database", "new.duckdb"][..], &["restore", PLACE, "--verify"]] {
        let said = refused(command(beside(&first), arguments).await);
        assert!(said.contains("several databases") && said.contains("--backup"), "{said}");
        assert!(said.contains(names(&of_first)[1]) && said.contains(names(&found)[3]), "{said}");
    }
    for (backup, price) in [(names(&of_first)[0], 1.0), (names(&found)[3], 2.0)] {
        let database = format!("{price}.duckdb");
        done(command(beside(&first), &["restore", PLACE, "--backup", backup, "--database", &database]).await);
        let restored = Launch::new().directory(&first.directory).arguments(["--database", &database]).start().await;
        assert_eq!(restored.sql_value("SELECT last_price FROM market_data").await, price);
    }
    // The next one of the first removes what it has left behind, and its oldest.
    done(command(beside(&first), &["backup", "--keep", "1"]).await);
    let left = backups(first.path());
    assert!(left.len() == 2 && left.contains(&found[3]) && !left.contains(&unfinished), "{left:?}");
}

#[tokio::test]
async fn backups_of_older_versions_stay_usable() {
    let (server, _second) = two_databases().await;
    for backup in backups(server.path()) {
        std::fs::remove_file(backup.join("database.json")).unwrap();
        let path = backup.join("manifest.json");
        let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for new in ["database", "clock_believed_at"] {
            assert!(manifest.as_object_mut().unwrap().remove(new).is_some(), "{new}");
        }
        std::fs::write(&path, manifest.to_string()).unwrap();
    }
    let older = backups(server.path());
    done(command(beside(&server), &["restore", PLACE, "--database", "new.duckdb"]).await);
    done(command(beside(&server), &["backup", "--keep", "2"]).await);
    let found = backups(server.path());
    assert!(found.len() == 2 && found[0] == older[1], "they count as its own: {found:?}");
}

#[tokio::test]
async fn a_server_takes_them_by_itself_and_keeps_the_newest() {
    let server = Launch::new().arguments(["--backup-every", "1s", "--backup-keep", "2"]).start().await;
    let first = eventually("the first backup", async || backups(server.path()).first().cloned()).await;
    let newer = eventually("two newer ones, and the first is gone", async || {
        let found = backups(server.path());
        let complete: Vec<_> = found.iter().filter(|path| path.join("manifest.json").exists()).cloned().collect();
        (!found.contains(&first) && complete.len() == 2).then_some(complete)
    })
    .await;
    assert!(newer[0] > first, "{newer:?}");
    let components = server.get("/api/system/components").await.expect(200).json();
    let backup = &components["components"]["backup"];
    assert_eq!(backup["status"], "ready", "{backup}");
    assert!(backup["last_backup"]["backup"].is_string(), "{backup}");
}

#[tokio::test]
async fn a_start_does_not_repeat_a_backup_that_is_new_enough() {
    let mut server = Launch::new().arguments(["--backup-every", "24h"]).start().await;
    eventually("the first backup", async || server.log().contains("a backup was taken").then_some(())).await;
    server.terminate().await;
    let arguments = ["--backup-every", "24h", "--log-level", "info,observability_api::backup=debug"];
    let server = Launch::new().directory(&server.directory).arguments(arguments).start().await;
    eventually("the newest backup has been looked at", async || {
        server.log().contains("the next backup is due").then_some(())
    })
    .await;
    assert_eq!(backups(server.path()).len(), 1);
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_told_where_operators_look() {
    let launch = Launch::new().arguments(["--backup-every", "24h", "--backup-location", "taken/backups"]);
    std::fs::write(launch.path().join("taken"), "a file").unwrap();
    let server = launch.start().await;
    let backup = eventually("the attempt has failed", async || {
        let components = server.get("/api/system/components").await.expect(200).json();
        let backup = components["components"]["backup"].clone();
        (backup["status"] == "failing").then_some(backup)
    })
    .await;
    assert!(backup["last_error"].as_str().unwrap().contains("taken/backups"), "{backup}");
    server.get("/health/ready").await.expect(200);
}

//! What is not done.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::json;

use crate::common::{Launch, Server};
use crate::desk::{backups, beside, command, directory, done, quotes, refused, token};

/// A server with rows and one backup, which it has taken.
async fn backed_up() -> (Server, PathBuf) {
    let server = Server::start().await;
    quotes(&server, 5_000).await;
    done(command(beside(&server), &["backup"]).await);
    let backup = backups(server.path()).pop().unwrap();
    (server, backup)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Names of the files of a directory.
fn files(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_restore_overwrites_nothing() {
    let (server, backup) = backed_up().await;
    let elsewhere = directory();
    for existing in ["desk.duckdb", "desk.duckdb.wal"] {
        let path = elsewhere.path().join(existing);
        std::fs::write(&path, "somebody's").unwrap();
        let launch = Launch::new().directory(&elsewhere);
        let said = refused(command(launch, &["restore", text(&backup), "--database", "desk.duckdb"]).await);
        assert!(said.contains(&format!("{existing} exists")) && said.contains("--database"), "{said}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's");
        std::fs::remove_file(&path).unwrap();
    }
    // Not over the database of a running server either, which is told as such.
    let said = refused(command(beside(&server), &["restore"]).await);
    assert!(said.contains("in use by another server"), "{said}");
    assert_eq!(server.sql_value("SELECT count(*) FROM market_data").await, 5_000);
}

#[tokio::test]
async fn a_damaged_backup_is_told_and_makes_no_database() {
    let (_server, backup) = backed_up().await;
    let part = backup.join("market_data/part-00000.parquet");
    let whole = std::fs::read(&part).unwrap();
    let verify = ["restore", text(&backup), "--verify"];
    let elsewhere = directory();
    done(command(Launch::new().directory(&elsewhere), &verify).await);
    assert_eq!(files(elsewhere.path()), [""; 0], "nothing is restored");

    let mut flipped = whole.clone();
    flipped[whole.len() / 3] ^= 0x10;
    for (damage, told) in [(Some(flipped), ""), (Some(whole[..whole.len() - 7].to_vec()), "bytes"), (None, "missing")] {
        match damage {
            Some(damage) => std::fs::write(&part, damage).unwrap(),
            None => std::fs::remove_file(&part).unwrap(),
        }
        for arguments in [&verify[..], &["restore", text(&backup), "--database", "d/desk.duckdb"]] {
            let said = refused(command(Launch::new().directory(&elsewhere), arguments).await);
            assert!(said.contains("part-00000.parquet is damaged") && said.contains(told), "{said}");
        }
        assert_eq!(files(&elsewhere.path().join("d")), ["desk.duckdb.lock"]);
    }
    std::fs::write(&part, &whole).unwrap();
    done(command(Launch::new().directory(&elsewhere), &verify).await);

    // A manifest that promises rows which no file has.
    let manifest = std::fs::read_to_string(backup.join("manifest.json")).unwrap();
    std::fs::write(backup.join("manifest.json"), manifest.replacen("5000", "5001", 1)).unwrap();
    let said = refused(command(Launch::new().directory(&elsewhere), &verify).await);
    assert!(said.contains("manifest.json is damaged"), "{said}");
}

#[tokio::test]
async fn a_manifest_that_names_a_file_elsewhere_is_refused() {
    let (_server, backup) = backed_up().await;
    let manifest = std::fs::read_to_string(backup.join("manifest.json")).unwrap();
    let elsewhere = directory();
    let stray = elsewhere.path().join("stray.parquet");
    std::fs::copy(backup.join("market_data/part-00000.parquet"), &stray).unwrap();
    for name in [text(&stray).to_owned(), "../../stray.parquet".into(), "market_data/../../stray.parquet".into()] {
        let changed = manifest.replacen("market_data/part-00000.parquet", &name, 1);
        assert_ne!(changed, manifest);
        std::fs::write(backup.join("manifest.json"), changed).unwrap();
        for arguments in [&["restore", text(&backup), "--verify"][..], &["restore", text(&backup)]] {
            let said = refused(command(Launch::new().directory(&elsewhere), arguments).await);
            assert!(said.contains("manifest.json is damaged") && said.contains("stray.parquet"), "{said}");
        }
    }
    assert_eq!(files(elsewhere.path()), ["stray.parquet"]);
}

#[tokio::test]
async fn a_backup_of_a_newer_program_is_left_to_that() {
    let (_server, backup) = backed_up().await;
    let manifest = std::fs::read_to_string(backup.join("manifest.json")).unwrap();
    std::fs::write(backup.join("manifest.json"), manifest.replacen(r#""format": 2"#, r#""format": 3"#, 1)).unwrap();
    let said = refused(command(Launch::new(), &["restore", text(&backup)]).await);
    assert!(said.contains("upgrade"), "{said}");
}

#[tokio::test]
async fn where_there_is_nothing_it_is_said_so() {
    let launch = || Launch::new();
    let said = refused(command(launch(), &["backup"]).await);
    assert!(said.contains("there is no database at data/observability.duckdb"), "{said}");
    for arguments in [&["restore"][..], &["restore", "nowhere"]] {
        let said = refused(command(launch(), arguments).await);
        assert!(said.contains("no complete backup") && said.contains("backup --list"), "{said}");
    }
    let somewhere = directory();
    for arguments in [&["backup", "--list"][..], &["backup", "--list", "--to", text(somewhere.path())]] {
        let said = refused(command(launch(), arguments).await);
        assert!(
            said.contains("no complete backup") && said.contains("takes one") && !said.contains("--list"),
            "{said}"
        );
    }
    let launch = Launch::new();
    let path = launch.path();
    refused(command(launch, &["restore", "nowhere"]).await);
    assert!(!path.join("nowhere").exists(), "a place that is only read is not made");
}

#[tokio::test]
async fn only_the_operator_is_obeyed_and_nobody_else_needs_a_token() {
    let server = Server::start().await;
    let right = token(server.path());
    for given in [None, Some("Bearer ".to_owned()), Some(format!("Bearer {right}0")), Some(format!("Basic {right}"))] {
        let headers: Vec<_> = given.iter().map(|value| ("authorization", value.as_str())).collect();
        let answer = server.send(Method::POST, "/api/operator/backup", &headers, Vec::new()).await.expect(403);
        assert!(answer.detail().contains("lock file"), "{}", answer.detail());
    }
    assert_eq!(backups(server.path()), [""; 0].map(PathBuf::from));
    let bearer = format!("Bearer {right}");
    let headers = [("authorization", bearer.as_str())];
    server.send(Method::POST, "/api/operator/backup?keep=0", &headers, Vec::new()).await.expect(422);
    let answer = server.send(Method::POST, "/api/operator/backup", &headers, Vec::new()).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let lines: Vec<serde_json::Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], json!({"step": "saving", "table": "market_data", "rows": 0, "of": 0}));
    assert!(lines.last().unwrap()["backup"].is_string(), "{lines:?}");

    server.ingest("trades", &json!([])).await;
    server.get("/api/system/health").await.expect(200);
    server.sql("SELECT 1 AS one").await;

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let lock = server.path().join("data/observability.duckdb.lock").metadata().unwrap();
        assert_eq!(lock.permissions().mode() & 0o777, 0o600);
    }
    assert!(!server.log().contains(&right), "the token is in no log");
}

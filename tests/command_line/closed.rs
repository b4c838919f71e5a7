//! Nobody reads what a command says, `| head -1` has seen enough: what it does is done, and it ends as it would have.

use std::path::Path;

use crate::common::{Launch, eventually};

/// Runs a command whose output, or all of it, goes to a pipe that nobody reads any more.
fn unread(launch: Launch, errors: bool) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = launch.command();
    command.stdout(writer.try_clone().unwrap());
    if errors {
        command.stderr(writer);
    }
    let ended = command.output().unwrap();
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[test]
fn no_command_needs_a_reader() {
    let directory = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    let launch = |arguments: &[&str]| Launch::new().directory(&directory).arguments(arguments);
    let write = |file: &str, text: &str| std::fs::write(directory.path().join(file), text).unwrap();
    let rows: String = (0..50).map(|minute| format!("2026-01-01 00:{minute:02}:00,A,1.5\n")).collect();
    write("rows.csv", &format!("timestamp,symbol,last_price\n{rows}"));
    write("bad.csv", &format!("timestamp,symbol,last_price\n{rows}never,A,1\n"));
    for (arguments, code) in [
        (&["import", "market_data", "rows.csv"][..], 0),
        (&["import", "market_data", "bad.csv"], 1),
        (&["import", "market_data", "bad.csv", "--allow-rejected"], 0),
        (&["import", "market_data", "none.csv"], 1),
        (&["query", "SELECT * FROM market_data"], 0),
        (&["query", "SELECT nonsense"], 1),
        (&["export", "market_data", "--format", "csv"], 0),
        (&["archive"], 0),
        (&["retention", "--retain", "market_data=never"], 0),
        (&["backup"], 0),
        (&["backup", "--list"], 0),
        (&["restore", "data/observability.backups", "--verify"], 0),
        (&["restore", "nowhere"], 1),
        (&["--help"], 0),
        (&["--nonsense"], 2),
        (&["--retain", "orders=1d"], 2),
        (&["--config", "none.toml"], 2),
        (&["--port", "1", "--host", "203.0.113.1"], 1),
    ] {
        for errors in [false, true] {
            let (found, said) = unread(launch(arguments), errors);
            assert_eq!(found, Some(code), "{arguments:?}: {said}");
        }
    }
    let stored = launch(&["query", "SELECT count(*) AS n FROM market_data", "--format", "csv"]).run();
    assert_eq!(stored.out, "n\n50\n", "{stored:?}");
    assert!(Path::new(&directory.path().join("data/observability.backups")).exists());
}

#[tokio::test]
async fn a_server_goes_on_when_nobody_reads_its_log() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let launch = Launch::new().arguments(["--host", "127.0.0.1", "--port", "0", "--log-level", "debug"]);
    let directory = launch.path();
    let mut command = launch.command();
    let mut server = command.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
    let address = eventually("the server listens", async || {
        let lock = std::fs::read(directory.join("data/observability.duckdb.lock")).ok()?;
        let lock: serde_json::Value = serde_json::from_slice(&lock).ok()?;
        lock["address"].as_str().map(str::to_owned)
    })
    .await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let row = r#"{"timestamp":"2026-01-01T00:00:00","symbol":"A","last_price":1.5}"#;
    let sent = client.post(format!("{address}/api/ingest/market_data")).header("content-type", "application/json");
    let answer = sent.body(row).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    assert!(std::process::Command::new("kill").arg(server.id().to_string()).status().unwrap().success());
    let ended = eventually("the server ends", async || server.try_wait().unwrap()).await;
    assert_eq!(ended.code(), Some(0));
}

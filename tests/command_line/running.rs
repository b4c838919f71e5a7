//! Files, signals, and a second server.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::common::{Launch, Server, eventually};

#[tokio::test]
async fn a_second_server_on_the_same_file_is_sent_away_with_a_reason() {
    let server = Server::start().await;
    server.get("/health/ready").await;
    let second = Launch::new().directory(&server.directory).arguments(["--port", "0"]).run();
    assert!(second.code.is_some_and(|code| code != 0), "{second:?}");
    let said = second.out + &second.err;
    assert!(said.contains("observability.duckdb"), "the file is named: {said}");
    assert!(said.contains(&server.pid().to_string()) || said.contains("another"), "so is who has it: {said}");
    server.ingest("trades", &json!([])).await;
    server.get("/health/ready").await.expect(200);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let server = Server::start().await;
    let second = Launch::new().arguments(["--port", &server.address.port().to_string()]).run();
    assert!(second.code.is_some_and(|code| code != 0), "{second:?}");
    let said = second.out + &second.err;
    assert!(said.contains(&server.address.port().to_string()) && said.contains("--port"), "{said}");
}

#[tokio::test]
async fn a_signal_ends_the_program_in_good_order() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start().await;
        let row = json!({"timestamp": "2025-10-21T12:00:00", "symbol": "A", "last_price": 1.0});
        server.ingest("market_data", &row).await;
        server.signal(signal);
        assert_eq!(server.ended().await, Some(0), "SIG{signal}");
        let wal = server.path().join("data/observability.duckdb.wal");
        assert!(!wal.exists() || wal.metadata().unwrap().len() == 0, "everything is in the file itself");
        let again = Launch::new().directory(&server.directory).start().await;
        assert_eq!(again.sql_value("SELECT count(*) FROM market_data").await, 1);
    }
}

#[tokio::test]
async fn requests_that_are_on_their_way_are_answered_before_the_end() {
    let server = Server::start().await;
    let rows: Vec<_> = (0..20_000)
        .map(|number| json!({"timestamp": "2025-10-21T12:00:00", "symbol": format!("S{number}"), "last_price": 1.0}))
        .collect();
    let body = json!(rows);
    let pushing = server.post("/api/ingest/market_data", &body);
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        server.signal("TERM");
    };
    let (answer, ()) = tokio::join!(pushing, stopping);
    // Taken or sent away: both are an answer, and the file agrees with it.
    let again = async |expected: u64| {
        let mut server = server;
        assert_eq!(server.ended().await, Some(0));
        let again = Launch::new().directory(&server.directory).start().await;
        assert_eq!(again.sql_value("SELECT count(*) FROM market_data").await, expected);
    };
    match answer.status {
        200 => again(20_000).await,
        503 => again(0).await,
        other => panic!("{other}: {}", answer.text()),
    }
}

#[tokio::test]
async fn the_log_goes_to_the_terminal_and_to_a_file() {
    let server = Launch::new().arguments(["--access-log", "--log-level", "info"]).start().await;
    server.get("/health?who=me").await.expect(200);
    let file = eventually("the log file", async || {
        let directory = std::fs::read_dir(server.path().join("logs")).ok()?;
        let mut files = directory.map(|entry| entry.unwrap().path());
        let file = files.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("observability_api"))?;
        let text = std::fs::read_to_string(file).ok()?;
        text.contains("/health").then_some(text)
    })
    .await;
    assert!(file.contains("listening on http://127.0.0.1"), "{file}");
    assert!(server.log().contains("/health"), "{}", server.log());
    assert!(!file.contains('\u{1b}'), "no colours in a file");
}

#[tokio::test]
async fn without_access_log_requests_are_not_logged() {
    let server = Server::start().await;
    server.get("/api/metrics/symbols").await.expect(200);
    server.get("/nope").await.expect(404);
    server.get("/health/ready").await;
    assert!(!server.log().contains("/api/metrics/symbols"), "{}", server.log());
}

#[tokio::test]
async fn with_dev_changed_queries_are_read_again() {
    let launch = Launch::new().arguments(["--dev", "--query-directory", "queries"]);
    let directory = launch.path().join("queries/trades");
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("statistics.sql");
    let original = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("queries/trades/statistics.sql");
    let original = std::fs::read_to_string(original).unwrap();
    std::fs::write(&path, &original).unwrap();
    let server = launch.start().await;
    let count = async || server.get("/api/trades/stats/summary").await.expect(200).json()["count"].clone();
    assert_eq!(count().await, 0);
    assert!(original.contains("coalesce(sum(rows), 0)"), "the query counts");
    std::fs::write(&path, original.replacen("coalesce(sum(rows), 0)", "42 + coalesce(sum(rows), 0)", 1)).unwrap();
    eventually("the changed query answers", async || (count().await == 42).then_some(())).await;
    std::fs::write(&path, "SELECT nonsense FROM").unwrap();
    eventually("a file that cannot be used is named", async || {
        server.log().contains("queries/trades/statistics.sql is not used").then_some(())
    })
    .await;
    assert_eq!(count().await, 42, "the query that could be used stays");
}

#[tokio::test]
async fn a_database_that_is_no_database_stops_the_start_and_is_left_alone() {
    let directory = Arc::new(TempDir::new().unwrap());
    let path = directory.path().join("notes.txt");
    std::fs::write(&path, "these are my notes, not a database\n".repeat(1_000)).unwrap();
    let ended = Launch::new().directory(&directory).arguments(["--port", "0", "--database", "notes.txt"]).run();
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    assert!((ended.out + &ended.err).contains("notes.txt"));
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("these are my notes"));
}

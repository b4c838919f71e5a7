//! A wall clock that is set back while the server runs, and between two runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Exporter, Launch, Server, eventually, eventually_within};

/// A program's own clock.
struct Clock {
    directory: TempDir,
}

impl Clock {
    /// `None`, and a word about it, where there is no C compiler.
    fn build() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/clock.c");
        let library = directory.path().join("clock.so");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(library).arg(source).arg("-ldl").status();
        if !built.is_ok_and(|status| status.success()) {
            println!("SKIPPED: no C compiler to build a clock with");
            return None;
        }
        let clock = Self { directory };
        clock.set(0);
        Some(clock)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Sets it to the true time and some seconds more.
    fn set(&self, seconds: i64) {
        std::fs::write(self.path("next"), seconds.to_string()).unwrap();
        std::fs::rename(self.path("next"), self.path("seconds")).unwrap();
    }

    fn launch(&self) -> Launch {
        self.command().arguments(["--write-interval", "200ms"])
    }

    /// A program with this clock.
    fn command(&self) -> Launch {
        Launch::new()
            .environment("LD_PRELOAD", self.path("clock.so").to_str().unwrap())
            .environment("CLOCK_FILE", self.path("seconds").to_str().unwrap())
    }
}

fn market(ticks: u64, price: f64) -> String {
    format!(
        "# TYPE ticks_received_total counter\nticks_received_total{{symbol=\"A\"}} {ticks}\n\
         # TYPE last_price gauge\nlast_price{{symbol=\"A\"}} {price}\n"
    )
}

async fn newest(server: &Server, table: &str) -> String {
    let text = server.sql_value(&format!("SELECT max(timestamp) FROM {table}")).await;
    text.as_str().unwrap_or_default().to_owned()
}

async fn count(server: &Server, table: &str) -> u64 {
    server.sql_value(&format!("SELECT count(*) FROM {table}")).await.as_u64().unwrap()
}

#[tokio::test]
async fn collecting_writing_and_frames_go_on_when_the_clock_is_set_back() {
    let Some(clock) = Clock::build() else { return };
    let exporter = Exporter::start(&market(100, 10.0)).await;
    let nobody = "http://127.0.0.1:9/metrics".to_owned();
    let launch = clock.launch().desk([exporter.url(), nobody.clone(), nobody]);
    clock.set(7_200);
    let server = launch.start().await;
    eventually("rows are stored", async || (count(&server, "market_data").await >= 2).then_some(())).await;
    let before = newest(&server, "market_data").await;
    let (mut socket, _) =
        tokio_tungstenite::connect_async(format!("ws://{}/ws/metrics", server.address)).await.unwrap();

    clock.set(0);
    exporter.set(&market(150, 11.0));
    let (markets, machines) = (count(&server, "market_data").await, count(&server, "system_metrics").await);
    eventually("rows are stored in the time that it is now", async || {
        let late =
            format!("SELECT count(*) FROM market_data WHERE timestamp < TIMESTAMP '{before}' - INTERVAL '1 hour'");
        (server.sql_value(&late).await.as_u64() >= Some(2)).then_some(())
    })
    .await;
    assert!(count(&server, "market_data").await >= markets + 2, "no row has replaced another");
    eventually("all collectors go on", async || (count(&server, "system_metrics").await >= machines + 2).then_some(()))
        .await;
    assert_eq!(server.sql_value("SELECT sum(trades) FROM market_data").await, 50, "the increments are right");
    assert_eq!(server.sql_value("SELECT count(*) FROM market_data WHERE trades < 0").await, 0);

    let mut monotonic = f64::NEG_INFINITY;
    let mut frames = 0;
    while frames < 10 {
        let message = tokio::time::timeout(Duration::from_secs(2), socket.next()).await.expect("frames go on");
        let message = message.unwrap().unwrap();
        let Ok(frame) = serde_json::from_str::<Value>(message.to_text().unwrap_or_default()) else { continue };
        let Some(timestamp) = frame["timestamp"].as_f64() else { continue };
        assert!(timestamp >= monotonic, "{timestamp} after {monotonic}");
        monotonic = timestamp;
        frames += 1;
    }
    server.get("/health/ready").await.expect(200);
    let performance = server.get("/api/system/performance").await.expect(200).json();
    for figure in ["latency_p50", "latency_p99", "throughput_per_sec"] {
        assert!(performance[figure].as_f64().unwrap() >= 0.0, "{performance}");
    }
    let live = server.get("/health/live").await.expect(200).json();
    assert!((0.0..600.0).contains(&live["uptime_seconds"].as_f64().unwrap()), "{live}");
}

#[tokio::test]
async fn a_start_after_the_clock_was_set_back_stores_rows_beside_those_of_the_future() {
    let Some(clock) = Clock::build() else { return };
    let directory = Arc::new(TempDir::new().unwrap());
    clock.set(86_400);
    let mut server = clock.launch().directory(&directory).start().await;
    eventually("rows are stored", async || (count(&server, "system_metrics").await >= 2).then_some(())).await;
    assert_eq!(server.terminate().await, Some(0));
    clock.set(0);
    let server = clock.launch().directory(&directory).start().await;
    let before = count(&server, "system_metrics").await;
    let future = newest(&server, "system_metrics").await;
    eventually("rows are stored", async || (count(&server, "system_metrics").await >= before + 2).then_some(())).await;
    assert_eq!(newest(&server, "system_metrics").await, future);
    // What comes again with a key that is there replaces it, however late it is.
    let row = json!({"timestamp": future, "cpu_percent": 12.5});
    server.ingest("system_metrics", &row).await;
    let again = server.sql(&format!("SELECT cpu_percent FROM system_metrics WHERE timestamp = '{future}'")).await;
    assert_eq!(again, [json!({"cpu_percent": 12.5})]);
}

#[tokio::test]
async fn the_simulation_goes_on_when_the_clock_is_set_back() {
    let Some(clock) = Clock::build() else { return };
    clock.set(3_600);
    let server = clock.launch().arguments(["--demo"]).start().await;
    eventually_within(Duration::from_secs(20), "rows are stored", async || {
        (count(&server, "market_data").await >= 8).then_some(())
    })
    .await;
    let before = newest(&server, "market_data").await;
    clock.set(0);
    eventually_within(Duration::from_secs(20), "rows of the time that it is now", async || {
        let late =
            format!("SELECT count(*) FROM market_data WHERE timestamp < TIMESTAMP '{before}' - INTERVAL '30 minutes'");
        (server.sql_value(&late).await.as_u64() >= Some(8)).then_some(())
    })
    .await;
}

/// Has the operator ask for something.
async fn operator(server: &Server, what: &str) -> (u16, String) {
    operator_of(server, "data/observability.duckdb", what).await
}

async fn operator_of(server: &Server, database: &str, what: &str) -> (u16, String) {
    let lock = std::fs::read(server.path().join(format!("{database}.lock"))).unwrap();
    let lock: Value = serde_json::from_slice(&lock).unwrap();
    let request = server.client.post(server.url(&format!("/api/operator/{what}")));
    let answer = request.bearer_auth(lock["token"].as_str().unwrap()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

const A_DAY: i64 = 86_400;

#[tokio::test]
async fn a_wrong_clock_drops_nothing_and_is_said_to_be_wrong() {
    let Some(clock) = Clock::build() else { return };
    let directory = Arc::new(TempDir::new().unwrap());
    let launch = || {
        clock
            .launch()
            .directory(&directory)
            .arguments(["--retain", "market_data=30d", "--hot-days", "20"])
            .arguments(["--rollup-interval", "20ms"])
    };
    let mut server = launch().start().await;
    let now = chrono::Utc::now().timestamp();
    let text = |seconds: i64| chrono::DateTime::from_timestamp(seconds, 0).unwrap().format("%FT%T").to_string();
    let rows: Vec<_> = (-50..0)
        .map(|hour| json!({"timestamp": text(now + hour * 3_600), "symbol": "A", "last_price": 1.0, "volume": 1}))
        .collect();
    server.ingest("market_data", &json!(rows)).await;
    assert_eq!(operator(&server, "retention").await, (200, "[]".to_owned()));

    for wrong in [400 * A_DAY, 60 * A_DAY, 2 * A_DAY, -400 * A_DAY, -now + A_DAY] {
        clock.set(wrong);
        for what in ["archive", "retention", "retention?dry_run=true"] {
            let (status, said) = operator(&server, what).await;
            assert!(status == 400 && said.contains("the clock says"), "{wrong}: {what}: {status} {said}");
        }
        eventually("an alert says so", async || {
            let alerts = server.get("/api/system/health").await.expect(200).text();
            alerts.contains("clock_implausible").then_some(())
        })
        .await;
        // It is not the program that remembers.
        assert_eq!(server.terminate().await, Some(0));
        server = launch().start().await;
        let (status, said) = operator(&server, "retention").await;
        assert!(status == 400 && said.contains("--confirm-clock"), "{wrong}: {status} {said}");

        clock.set(0);
        // Of the machine there may be rows of days that are archived now.
        assert_eq!(operator(&server, "archive").await.0, 200, "{wrong}: it goes on when the clock is right");
        assert_eq!(operator(&server, "retention").await, (200, "[]".to_owned()), "{wrong}");
        eventually("the alert is over", async || {
            let alerts = server.get("/api/system/health").await.expect(200).text();
            (!alerts.contains("clock_implausible")).then_some(())
        })
        .await;
        assert_eq!(count(&server, "market_data").await, 50);
    }

    // The server was off for a month: the operator says that the clock is right.
    clock.set(31 * A_DAY);
    assert_eq!(operator(&server, "retention").await.0, 400);
    eventually("what is rolled up is dropped", async || {
        let (status, dropped) = operator(&server, "retention?confirm_clock=true").await;
        assert_eq!(status, 200, "{dropped}");
        dropped.contains("market_data").then_some(())
    })
    .await;
    assert_eq!(operator(&server, "archive").await.0, 200);
}

#[tokio::test]
async fn rollups_do_not_stay_in_a_future_that_the_clock_has_taken_back() {
    let Some(clock) = Clock::build() else { return };
    let server = clock.launch().arguments(["--rollup-interval", "20ms"]).start().await;
    let text = |seconds: i64| chrono::DateTime::from_timestamp(seconds, 0).unwrap().format("%FT%T").to_string();
    let now = chrono::Utc::now().timestamp();
    let row = |seconds: i64| json!({"timestamp": text(seconds), "symbol": "A", "last_price": 1.0, "volume": 1});
    server.ingest("market_data", &json!([row(now - 7_200), row(now - 3_600)])).await;
    clock.set(400 * A_DAY);
    let future = now + 400 * A_DAY;
    server.ingest("market_data", &json!([row(future - 3_600), row(future - 1_800), row(future - 1)])).await;
    let lag = async || {
        let components = server.get("/api/system/components").await.expect(200).json();
        components["components"]["rollups"]["tables"]["market_data"]["lag_seconds"].as_f64()
    };
    let behind = |line: &str| line.contains("until then rows answer") && line.contains("market_data");
    eventually("the future is to be rolled up", async || server.log().lines().any(behind).then_some(())).await;
    eventually("the future is rolled up", async || (lag().await == Some(0.0)).then_some(())).await;
    let total = async || {
        let body = json!({"start_time": text(now - A_DAY), "end_time": text(future + A_DAY),
            "metric_types": ["market_data"], "interval": "1h"});
        let answer = server.post("/api/metrics/history", &body).await.expect(200).json();
        answer["data"].as_array().unwrap().iter().map(|row| row["total_volume"].as_i64().unwrap()).sum::<i64>()
    };
    assert_eq!(total().await, 5);
    clock.set(0);
    server.ingest("market_data", &json!([row(now - 600)])).await;
    eventually("it is given up", async || server.log().contains("the clock was ahead").then_some(())).await;
    assert_eq!(total().await, 6, "nothing is lost by it");
    server.ingest("market_data", &json!([row(now - 300), row(now)])).await;
    eventually("rollups go on", async || (lag().await == Some(0.0)).then_some(())).await;
    assert_eq!(total().await, 8);
}

#[tokio::test]
async fn a_restored_database_believes_the_clock_of_the_first_and_no_other() {
    let Some(clock) = Clock::build() else { return };
    let server = clock.launch().start().await;
    let old = chrono::Utc::now().timestamp() - 50 * A_DAY;
    let time = chrono::DateTime::from_timestamp(old, 0).unwrap().format("%FT%T").to_string();
    server.ingest("market_data", &json!({"timestamp": time, "symbol": "A", "last_price": 1.0})).await;
    eventually("the clock is believed", async || (operator(&server, "retention").await.0 == 200).then_some(())).await;
    let run = async |arguments: &[&str]| {
        let launch = clock.command().directory(&server.directory).arguments(arguments);
        let ended = tokio::task::spawn_blocking(move || launch.run()).await.unwrap();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    };
    run(&["backup", "--to", "backups"]).await;
    for (seconds, status) in [(0, 200), (400 * A_DAY, 400), (-400 * A_DAY, 400)] {
        clock.set(seconds);
        let database = format!("at{seconds}/desk.duckdb");
        run(&["restore", "backups", "--database", &database]).await;
        let arguments = ["--database", &database, "--retain", "market_data=100d"];
        let restored = clock.launch().directory(&server.directory).arguments(arguments).start().await;
        let (found, said) = operator_of(&restored, &database, "retention").await;
        assert_eq!(found, status, "{seconds}: {said}");
        assert!(status == 200 || said.contains("--confirm-clock"), "{said}");
        assert_eq!(count(&restored, "market_data").await, 1, "{seconds}");
    }
}

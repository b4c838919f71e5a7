//! A disk that runs full, and has room again.

use crate::common::{Launch, Server, eventually};
use crate::small_disk::SmallDisk;
use crate::{alerts, bodies, quotes};

const ROWS: u64 = 5_000;

async fn start(disk: &SmallDisk) -> Server {
    Launch::new().arguments(["--database", disk.database().to_str().unwrap()]).start().await
}

async fn collected(server: &Server) -> u64 {
    let components = server.get("/api/system/components").await.expect(200).json();
    components["components"]["system"]["metrics_collected"].as_u64().unwrap()
}

#[tokio::test]
async fn writing_stops_with_a_reason_and_goes_on_by_itself() {
    let Some(disk) = SmallDisk::mount(96) else { return };
    let mut server = start(&disk).await;
    server.ingest("market_data", &quotes(1, ROWS)).await;
    eventually("a row about the machine is stored", async || {
        (server.sql_value("SELECT count(*) FROM system_metrics").await != 0).then_some(())
    })
    .await;

    let ballast = disk.fill(0);
    let refused = server.post("/api/ingest/market_data", &quotes(2, ROWS)).await.expect(507);
    let detail = refused.detail();
    assert!(detail.contains(" KiB are free") && detail.contains("--min-free-space"), "{detail}");
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    let full_since = server.sql_value("SELECT max(timestamp) FROM system_metrics").await;
    // What is read does not need space, and what is collected waits.
    let before = collected(&server).await;
    eventually("collecting goes on", async || (collected(&server).await >= before + 2).then_some(())).await;
    assert_eq!(bodies(&server).await, [(1, ROWS)]);
    server.get("/api/metrics/current").await.expect(200);
    server.get("/health/ready").await.expect(200);
    server.post("/api/metrics/history", &serde_json::json!({"time_range": "1h"})).await.expect(200);
    server.post("/api/ingest/market_data", &quotes(2, 1)).await.expect(507);
    assert!(alerts(&server).await.contains(&"disk_full".to_owned()));
    assert_eq!(server.sql_value("SELECT max(timestamp) FROM system_metrics").await, full_since, "nothing is written");

    ballast.remove();
    eventually("writing goes on", async || {
        (server.post("/api/ingest/market_data", &quotes(3, ROWS)).await.status == 200).then_some(())
    })
    .await;
    eventually("the alert is over", async || (!alerts(&server).await.contains(&"disk_full".to_owned())).then_some(()))
        .await;
    eventually("what was collected meanwhile is stored", async || {
        let stored = server.sql_value("SELECT count(*) FROM system_metrics").await.as_u64().unwrap();
        (stored > before + 2).then_some(())
    })
    .await;
    assert_eq!(server.terminate().await, Some(0));
    let server = start(&disk).await;
    assert_eq!(bodies(&server).await, [(1, ROWS), (3, ROWS)]);
    let pauses = "SELECT count(*) FROM (SELECT timestamp - lag(timestamp) OVER (ORDER BY timestamp) AS pause \
        FROM system_metrics WHERE timestamp <= '{}') WHERE pause > INTERVAL '5 seconds'";
    let pauses = pauses.replace("{}", full_since.as_str().unwrap());
    assert_eq!(server.sql_value(&pauses).await, 0);
}

#[tokio::test]
async fn a_server_that_stops_and_starts_on_a_full_disk_has_every_row() {
    let Some(disk) = SmallDisk::mount(96) else { return };
    let mut server = start(&disk).await;
    for body in 1..=4 {
        server.ingest("market_data", &quotes(body, ROWS)).await;
    }
    let all: Vec<_> = (1..=4).map(|body| (body, ROWS)).collect();
    let ballast = disk.fill(0);
    // There is no space for the last checkpoint: the log stays.
    assert_eq!(server.terminate().await, Some(0));
    for killed in [true, false] {
        let mut server = start(&disk).await;
        assert_eq!(bodies(&server).await, all);
        server.post("/api/ingest/market_data", &quotes(9, 1)).await.expect(507);
        if killed { server.kill() } else { assert_eq!(server.terminate().await, Some(0)) }
    }
    ballast.remove();
    let server = start(&disk).await;
    assert_eq!(bodies(&server).await, all);
    server.ingest("market_data", &quotes(5, ROWS)).await;
}

#[tokio::test]
async fn the_space_that_stays_free_suffices_for_every_checkpoint() {
    let Some(disk) = SmallDisk::mount(64) else { return };
    let mut server = start(&disk).await;
    let mut acknowledged = Vec::new();
    let refused = loop {
        let body = acknowledged.len() as u64 + 1;
        let answer = server.post("/api/ingest/market_data", &quotes(body, 20_000)).await;
        match answer.status {
            200 => acknowledged.push((body, 20_000)),
            _ => break answer,
        }
    };
    assert_eq!(refused.status, 507, "{}", refused.text());
    println!("{} rows fit; {} bytes stayed free", acknowledged.len() * 20_000, disk.free());
    assert_eq!(bodies(&server).await, acknowledged);
    assert_eq!(server.terminate().await, Some(0));
    assert!(!server.log().contains("checkpoint failed"), "{}", server.log());
    assert_eq!(bodies(&start(&disk).await).await, acknowledged);
}

#[tokio::test]
async fn a_disk_that_is_full_before_anybody_looked_costs_no_acknowledged_row() {
    let Some(disk) = SmallDisk::mount(64) else { return };
    let arguments = ["--database", disk.database().to_str().unwrap(), "--min-free-space", "1KB"].map(str::to_owned);
    let mut server = Launch::new().arguments(arguments.clone()).start().await;
    server.ingest("market_data", &quotes(1, ROWS)).await;
    let ballast = disk.fill(256 << 10);
    // Larger than what is free. Whether that is seen before, or by the engine in the middle of the commit, after which its
    // tables are not to be trusted and the program ends: the rows are refused.
    let answer = server.post("/api/ingest/market_data", &quotes(2, ROWS)).await;
    assert!([503, 507].contains(&answer.status), "{}: {}", answer.status, answer.text());
    server.kill();
    ballast.remove();
    let server = Launch::new().arguments(arguments).start().await;
    assert_eq!(bodies(&server).await, [(1, ROWS)]);
    server.ingest("market_data", &quotes(2, ROWS)).await;
    assert_eq!(bodies(&server).await, [(1, ROWS), (2, ROWS)]);
}

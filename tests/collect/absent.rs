//! Services that are down: said plainly, and nothing is invented.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Exporter, Server, eventually, eventually_within};
use crate::{Desk, market_data};

const TRADING: [&str; 4] = ["market_data", "strategy_metrics", "execution_metrics", "trades"];

async fn counts(server: &Server) -> Vec<Value> {
    let mut counts = Vec::new();
    for table in TRADING {
        counts.push(server.sql_value(&format!("SELECT count(*) FROM {table}")).await);
    }
    counts
}

async fn component(server: &Server, name: &str) -> Value {
    server.get("/api/system/components").await.expect(200).json()["components"][name].clone()
}

/// Waits until the machine has been looked at `rounds` more times: the other collectors had as many.
async fn rounds(server: &Server, rounds: i64) {
    let seen = async || component(server, "system").await["metrics_collected"].as_i64().unwrap();
    let from = seen().await;
    eventually_within(Duration::from_secs(20), "some rounds", async || (seen().await >= from + rounds).then_some(()))
        .await;
}

#[tokio::test]
async fn with_nobody_to_ask_there_is_no_row_and_the_pages_say_so() {
    let server = Server::start().await;
    rounds(&server, 3).await;
    assert_eq!(counts(&server).await, [0, 0, 0, 0]);
    let health = server.get("/api/system/health").await.json();
    assert_eq!(
        (&health["connections"]["market_data"], &health["connections"]["execution"]),
        (&json!("disconnected"), &json!("disconnected"))
    );
    let components = server.get("/api/system/components").await.json();
    for name in ["market_data", "strategy", "execution"] {
        assert_eq!(components["components"][name]["connection"], "disconnected", "{name}");
        assert_eq!(components["components"][name]["metrics_collected"], 0, "{name}");
    }
    assert_eq!(components["components"]["system"]["status"], "ready");
    server.get("/health/ready").await.expect(200);
}

#[tokio::test]
async fn a_service_that_stops_leaves_its_rows_and_adds_none_until_it_is_back() {
    let desk = Desk::start().await;
    let server = &desk.server;
    eventually("the first rows", async || {
        (server.sql_value("SELECT count(*) FROM market_data WHERE symbol = 'AAPL'").await != 0).then_some(())
    })
    .await;
    let address = desk.market_data.stop().await;
    drop((desk.execution, desk.risk));
    eventually("the pages say that it is gone", async || {
        let connections = server.get("/api/system/health").await.json()["connections"].clone();
        (connections["market_data"] == "disconnected" && connections["execution"] == "disconnected").then_some(())
    })
    .await;
    rounds(server, 2).await;
    let before = counts(server).await;
    rounds(server, 3).await;
    assert_eq!(counts(server).await, before, "no row is invented");
    assert_eq!(component(server, "market_data").await["connection"], "disconnected");
    server.get("/health/ready").await.expect(200);

    let _back = Exporter::restart(address, &market_data(160.0, 1_100, 105)).await;
    eventually_within(Duration::from_secs(30), "rows of the service that came back", async || {
        let rows = server.sql("SELECT 1 FROM market_data WHERE last_price = 160.0").await;
        (!rows.is_empty()).then_some(())
    })
    .await;
    assert_eq!(server.get("/api/system/health").await.json()["connections"]["market_data"], "connected");
}

#[tokio::test]
async fn an_answer_that_is_no_exposition_is_an_error_not_a_row() {
    let desk = Desk::start().await;
    let server = &desk.server;
    eventually("the first rows", async || {
        (server.sql_value("SELECT count(*) FROM market_data").await != 0).then_some(())
    })
    .await;
    desk.market_data.set("<html><body>It works!</body></html>");
    rounds(server, 2).await;
    let before = counts(server).await[0].clone();
    rounds(server, 2).await;
    assert_eq!(counts(server).await[0], before);
}

//! Symbols and strategies that a service no longer speaks of.

use serde_json::{Value, json};

use crate::common::{Exporter, Launch, Server, eventually};

fn ticks(symbols: &[(&str, u32)]) -> String {
    let line =
        |(symbol, ticks): &(&str, u32)| format!("market_data_ticks_received_total{{symbol=\"{symbol}\"}} {ticks}\n");
    format!("# TYPE market_data_ticks_received_total counter\n{}", symbols.iter().map(line).collect::<String>())
}

fn profits(strategies: &[(&str, f64)]) -> String {
    let line = |(name, profit): &(&str, f64)| format!("risk_pnl_realized{{strategy=\"{name}\"}} {profit}\n");
    format!("# TYPE risk_pnl_realized gauge\n{}", strategies.iter().map(line).collect::<String>())
}

async fn shown(server: &Server, what: [&str; 2]) -> Vec<String> {
    let current = server.get("/api/metrics/current").await.expect(200).json();
    current[what[0]][what[1]].as_object().unwrap().keys().cloned().collect()
}

async fn start(market_data: &Exporter, risk: &Exporter) -> Server {
    let nobody = "http://127.0.0.1:9/metrics".to_owned();
    let launch = Launch::new().desk([market_data.url(), nobody, risk.url()]);
    launch
        .arguments(["--collect-interval", "50ms", "--label-expiry", "500ms", "--write-interval", "50ms"])
        .start()
        .await
}

#[tokio::test]
async fn labels_leave_the_newest_values_and_come_back_without_a_jump() {
    let market_data = Exporter::start(&ticks(&[("A", 10), ("B", 20)])).await;
    let risk = Exporter::start(&profits(&[("momentum", 1.0), ("pairs", 2.0)])).await;
    let server = start(&market_data, &risk).await;
    let are = async |what: [&str; 2], names: &[&str]| {
        eventually(&format!("{names:?} are shown"), async || (shown(&server, what).await == names).then_some(())).await;
    };
    are(["market_data", "symbols"], &["A", "B"]).await;
    are(["strategy", "strategies"], &["momentum", "pairs"]).await;

    market_data.set(&ticks(&[("A", 11)]));
    risk.set(&profits(&[("momentum", 1.5)]));
    are(["market_data", "symbols"], &["A"]).await;
    are(["strategy", "strategies"], &["momentum"]).await;
    assert_eq!(server.get("/api/metrics/symbols").await.json(), json!({"symbols": ["A"], "count": 1}));
    assert!(!server.get("/metrics").await.text().contains("symbol=\"B\""));

    market_data.set(&ticks(&[("A", 12), ("B", 900), ("C", 3)]));
    are(["market_data", "symbols"], &["A", "B", "C"]).await;
    market_data.set(&ticks(&[("A", 12), ("B", 905), ("C", 3)]));
    let sum = "SELECT symbol, sum(trades) AS n FROM market_data GROUP BY symbol ORDER BY symbol";
    eventually("what was added", async || {
        let sums: Vec<Value> = server.sql(sum).await.into_iter().map(|row| row["n"].clone()).collect();
        // A label that was never there has begun at zero; what B gained meanwhile nobody knows.
        (sums == [json!(2), json!(5), json!(3)]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_service_that_does_not_answer_leaves_what_it_said_last() {
    let market_data = Exporter::start(&ticks(&[("A", 10)])).await;
    let risk = Exporter::start("").await;
    let server = start(&market_data, &risk).await;
    eventually("A is shown", async || (shown(&server, ["market_data", "symbols"]).await == ["A"]).then_some(())).await;
    market_data.stop().await;
    let connection = async || {
        let components = server.get("/api/system/components").await.json();
        components["components"]["market_data"]["connection"].clone()
    };
    eventually("it is seen to be down", async || (connection().await == "disconnected").then_some(())).await;
    // Longer than labels stay that an answer leaves out, by the machine's own collector, which is asked as often.
    let rounds = async || {
        let components = server.get("/api/system/components").await.json();
        components["components"]["system"]["metrics_collected"].as_u64().unwrap()
    };
    let before = rounds().await;
    eventually("time passes", async || (rounds().await >= before + 15).then_some(())).await;
    assert_eq!(shown(&server, ["market_data", "symbols"]).await, ["A"]);
}

#[tokio::test]
async fn of_more_symbols_than_are_shown_the_others_are_counted() {
    let text: String = (0..10_050).map(|symbol| format!("market_data_price{{symbol=\"S{symbol}\"}} 1\n")).collect();
    let market_data = Exporter::start(&text).await;
    let risk = Exporter::start("").await;
    let server = start(&market_data, &risk).await;
    eventually("the symbols are shown", async || {
        (server.get("/api/metrics/symbols").await.json()["count"] == 10_000).then_some(())
    })
    .await;
    let account = server.get("/api/system/components").await.json()["components"]["market_data"].clone();
    assert_eq!((&account["left_out_labels"], &account["left_out_samples"]), (&json!(50), &json!(0)));
    eventually("all of them are stored", async || {
        (server.sql_value("SELECT count(DISTINCT symbol) AS n FROM market_data").await == 10_050).then_some(())
    })
    .await;
}

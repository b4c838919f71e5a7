//! The latest values.

use serde_json::{Value, json};

use crate::common::{Launch, Server, eventually, shape};

fn sections() -> [(&'static str, Value); 4] {
    let symbol = json!({"last_price": "float", "bid": "float", "ask": "float", "volume": "int", "trades": "int"});
    let strategy =
        json!({"pnl": "float", "daily_pnl": "float", "positions": "int", "signals": "int", "win_rate": "float"});
    [
        (
            "market_data",
            json!({
                "timestamp": "ts", "symbols": {"*": symbol}, "total_trades": "int", "total_volume": "float",
                "symbols_tracked": "int",
            }),
        ),
        (
            "strategy",
            json!({
                "timestamp": "ts", "strategies": {"*": strategy}, "total_pnl": "float", "daily_pnl": "float",
                "open_positions": "int", "signals_generated": "int",
            }),
        ),
        (
            "execution",
            json!({
                "timestamp": "ts", "orders_today": "int", "fills_today": "int", "cancelled": "int", "rejected": "int",
                "fill_rate": "float", "avg_latency_ms": "float", "avg_slippage_bps": "float",
            }),
        ),
        (
            "system",
            json!({
                "timestamp": "ts", "cpu_percent": "float", "memory_percent": "float", "disk_usage_percent": "float",
                "uptime": "float", "health": "str", "active_alerts": "int",
            }),
        ),
    ]
}

fn current() -> Value {
    let mut template = serde_json::Map::from_iter([("timestamp".to_owned(), json!("ts"))]);
    template.extend(sections().map(|(name, section)| (name.to_owned(), section)));
    Value::Object(template)
}

fn summary() -> Value {
    json!({
        "timestamp": "ts",
        "market": {"symbols_tracked": "int", "total_trades": "int", "total_volume": "float"},
        "strategy": {
            "active_strategies": "int", "total_pnl": "float", "daily_pnl": "float", "open_positions": "int",
        },
        "execution": {"orders_today": "int", "fills_today": "int", "fill_rate": "float", "avg_latency_ms": "float"},
        "system": {"cpu_usage": "float", "memory_usage": "float", "uptime_seconds": "float", "health_status": "str"},
    })
}

#[tokio::test]
async fn without_a_desk_every_key_is_there_and_nothing_is_invented() {
    let server = Server::start().await;
    let values = server.get("/api/metrics/current").await.expect(200).json();
    shape::check(&values, &current());
    assert_eq!(values["market_data"]["symbols"], json!({}));
    assert_eq!(values["strategy"]["strategies"], json!({}));
    assert_eq!(values["execution"]["orders_today"], json!(0));
    assert_eq!(server.get("/api/metrics/symbols").await.expect(200).text(), r#"{"symbols":[],"count":0}"#);
    let summary_now = server.get("/api/metrics/summary").await.expect(200).json();
    shape::check(&summary_now, &summary());
    assert_eq!(summary_now["market"], json!({"symbols_tracked": 0, "total_trades": 0, "total_volume": 0.0}));
}

#[tokio::test]
async fn the_machine_is_measured() {
    let server = Server::start().await;
    let system = eventually("the machine has been looked at", async || {
        let system = server.get("/api/metrics/current").await.json()["system"].clone();
        (system["memory_percent"].as_f64()? > 0.0).then_some(system)
    })
    .await;
    for percentage in ["cpu_percent", "memory_percent", "disk_usage_percent"] {
        let value = system[percentage].as_f64().unwrap();
        assert!((0.0..=100.0).contains(&value), "{percentage}: {value}");
        assert!(((value * 10.0).round() / 10.0 - value).abs() < 1e-12, "{percentage} has one decimal: {value}");
    }
    let words = ["healthy", "degraded", "unhealthy"];
    assert!(words.contains(&system["health"].as_str().unwrap()));
}

#[tokio::test]
async fn with_values_every_section_keeps_its_shape() {
    let server = Launch::new().arguments(["--demo"]).start().await;
    let values = eventually("the sections fill", async || {
        let values = server.get("/api/metrics/current").await.expect(200).json();
        let filled = |section: &str, of: &str| !values[section][of].as_object().unwrap().is_empty();
        (filled("market_data", "symbols") && filled("strategy", "strategies")).then_some(values)
    })
    .await;
    shape::check(&values, &current());
    let symbols: Vec<_> = values["market_data"]["symbols"].as_object().unwrap().keys().cloned().collect();
    let listed = server.get("/api/metrics/symbols").await.expect(200).json();
    assert_eq!(listed, json!({"symbols": symbols, "count": symbols.len()}));
    let summary_now = server.get("/api/metrics/summary").await.expect(200).json();
    shape::check(&summary_now, &summary());
    assert_eq!(summary_now["market"]["symbols_tracked"], json!(symbols.len()));
}

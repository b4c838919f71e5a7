//! How the service and the machine are doing.

use reqwest::Method;
use serde_json::json;

use crate::common::{Server, eventually, shape};

#[tokio::test]
async fn health_tells_the_truth_about_what_is_connected() {
    let server = Server::start().await;
    let health = eventually("the desk has been asked", async || {
        let health = server.get("/api/system/health").await.expect(200).json();
        let gone = |service: &str| health["connections"][service] == "disconnected";
        (gone("market_data") && gone("execution")).then_some(health)
    })
    .await;
    let component = json!({"status": "str", "usage_percent": "float?", "message": "str?", "last_updated": "ts?"});
    shape::check(
        &health,
        &json!({
            "status": "str",
            "components": {"cpu": component, "memory": component, "disk": component},
            "resources": {"cpu": "float", "memory": "float", "disk": "float"},
            "connections": {"market_data": "str", "execution": "str", "database": "str"},
            "alerts": "any",
        }),
    );
    assert_eq!(
        health["connections"],
        json!({
            "market_data": "disconnected", "execution": "disconnected", "database": "connected",
        })
    );
    assert!(health["alerts"].is_null() || health["alerts"].is_array());
}

#[tokio::test]
async fn performance_is_measured() {
    let server = Server::start().await;
    let performance = eventually("requests have been measured", async || {
        let performance = server.get("/api/system/performance").await.expect(200).json();
        (performance["latency_p50"].as_f64()? > 0.0).then_some(performance)
    })
    .await;
    shape::check(
        &performance,
        &json!({
            "latency_p50": "float", "latency_p95": "float", "latency_p99": "float", "throughput_per_sec": "float",
            "cpu_usage": "float", "memory_usage": "float", "queue_depth": "int",
        }),
    );
    let percentile = |name: &str| performance[name].as_f64().unwrap();
    assert!(percentile("latency_p50") <= percentile("latency_p95"));
    assert!(percentile("latency_p95") <= percentile("latency_p99"));
}

#[tokio::test]
async fn components_list_the_collectors_and_the_stream() {
    let server = Server::start().await;
    let answer = server.get("/api/system/components").await.expect(200).json();
    let components = answer["components"].as_object().unwrap();
    let names: Vec<_> = components.keys().collect();
    assert_eq!(names, ["market_data", "strategy", "execution", "system", "websocket", "rollups"]);
    let rollups = json!({"name": "rollups", "status": "ready", "state": "waiting", "tables": {}});
    assert_eq!(components["rollups"], rollups, "nothing is complete yet");
    for name in ["market_data", "strategy", "execution", "system"] {
        let collector = &answer["components"][name];
        for (key, word) in [
            ("name", "str"),
            ("status", "str"),
            ("uptime_seconds", "float?"),
            ("metrics_collected", "int"),
            ("errors", "int"),
        ] {
            shape::check(&collector[key], &json!(word));
        }
        let keys: Vec<_> = collector.as_object().unwrap().keys().take(5).collect();
        assert_eq!(keys, ["name", "status", "uptime_seconds", "metrics_collected", "errors"]);
        assert_eq!(collector["name"], name);
    }
    let websocket = answer["components"]["websocket"].clone();
    shape::check(
        &websocket,
        &json!({"status": "str", "connections": "int", "stats": {
            "current_connections": "int", "max_connections": "int", "total_connections": "int",
            "total_messages_sent": "int", "total_errors": "int", "queue_size": "int", "connections": [{"*": "any"}],
        }}),
    );
    assert!(websocket["stats"]["max_connections"].as_i64().unwrap() > 100);
    assert!(shape::is_naive_timestamp(answer["timestamp"].as_str().unwrap()));
    let order: Vec<_> = answer.as_object().unwrap().keys().collect();
    assert_eq!(order, ["status", "components", "timestamp"]);
}

#[tokio::test]
async fn stats_count_what_was_collected() {
    let server = Server::start().await;
    let collector = json!({
        "name": "str", "status": "str", "uptime": "float?", "metrics_collected": "int", "errors": "int",
        "error_rate": "float",
    });
    let stats = eventually("the machine's collector has collected", async || {
        let stats = server.get("/api/system/stats").await.expect(200).json();
        (stats["collectors"]["system"]["metrics_collected"].as_i64()? > 0).then_some(stats)
    })
    .await;
    shape::check(
        &stats,
        &json!({
            "api": {"running": "bool", "websocket_connections": "int", "total_messages_sent": "int"},
            "collectors": {
                "market_data": collector, "strategy": collector, "execution": collector, "system": collector,
            },
        }),
    );
    assert_eq!(stats["api"]["running"], json!(true));
    assert_eq!(stats["collectors"]["market_data"]["metrics_collected"], json!(0), "nothing is invented");
}

#[tokio::test]
async fn logs_hold_entries_at_or_above_the_level_newest_last() {
    let server = Server::start().await;
    let answer = server.get("/api/system/logs/recent").await.expect(200).json();
    let logs = answer["logs"].as_array().unwrap();
    assert!(!logs.is_empty(), "the start was logged");
    assert_eq!((&answer["count"], &answer["level"]), (&json!(logs.len()), &json!("INFO")));
    let order: Vec<_> = answer.as_object().unwrap().keys().collect();
    assert_eq!(order, ["logs", "count", "level"]);
    for entry in logs {
        assert!(shape::is_naive_timestamp(entry["timestamp"].as_str().unwrap()), "{entry}");
        assert!(entry["level"].is_string() && entry["message"].is_string(), "{entry}");
        assert!(!["DEBUG", "TRACE"].contains(&entry["level"].as_str().unwrap()), "{entry}");
    }
    let times: Vec<_> = logs.iter().map(|entry| entry["timestamp"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by_key(|time| &time[..19]), "newest last");

    let warnings = server.get("/api/system/logs/recent?level=WARNING").await.expect(200).json();
    for entry in warnings["logs"].as_array().unwrap() {
        assert!(["WARN", "WARNING", "ERROR"].contains(&entry["level"].as_str().unwrap()), "{entry}");
    }
    for (query, limit, level) in [
        ("limit=1", 1, "INFO"),
        ("limit=0", 0, "INFO"),
        ("limit=-5", 0, "INFO"),
        ("limit=99999", 1000, "INFO"),
        ("level=bogus&limit=2", 2, "bogus"),
        ("level=&limit=2", 2, ""),
        ("level=error", 100, "error"),
    ] {
        let answer = server.get(&format!("/api/system/logs/recent?{query}")).await.expect(200).json();
        assert!(answer["count"].as_u64().unwrap() <= limit, "{query}: {answer}");
        assert_eq!(answer["level"], level, "{query}");
    }
}

#[tokio::test]
async fn acknowledging_any_alert_succeeds() {
    let server = Server::start().await;
    for (path, id) in [("no_such_alert", "no_such_alert"), ("a%20b%C3%A9", "a bé")] {
        let path = format!("/api/system/alerts/acknowledge/{path}");
        let answer = server.send(Method::POST, &path, &[], Vec::new()).await.expect(200);
        assert_eq!(answer.text(), format!(r#"{{"status":"acknowledged","alert_id":"{id}"}}"#));
    }
}

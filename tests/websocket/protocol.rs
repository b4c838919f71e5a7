//! What one client sees.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::Client;
use crate::common::{Launch, Server, eventually, shape};

fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn keys(frame: &Value) -> Vec<&str> {
    frame.as_object().unwrap().keys().map(String::as_str).collect()
}

const KEYS: [&str; 6] = ["timestamp", "market_data", "strategy", "execution", "system", "server_time"];

#[tokio::test]
async fn the_first_text_is_the_welcome() {
    let server = Server::start().await;
    let client = Client::connect(&server).await;
    shape::check(
        &client.welcome,
        &json!({
            "type": "str", "client_id": "str", "server_time": "float", "update_frequency_hz": "int",
        }),
    );
    assert_eq!(client.welcome["type"], "connected");
    assert_eq!(client.welcome["update_frequency_hz"], json!(10));
    let id = client.welcome["client_id"].as_str().unwrap();
    let id = uuid::Uuid::parse_str(id).unwrap();
    assert_eq!(id.get_version_num(), 4);
    let age = unix_seconds() - client.welcome["server_time"].as_f64().unwrap();
    assert!((-0.1..10.0).contains(&age), "server_time is Unix time, {age} s ago");
    let other = Client::connect(&server).await;
    assert_ne!(client.welcome["client_id"], other.welcome["client_id"]);
}

#[tokio::test]
async fn frames_hold_the_sections_of_current_ten_times_a_second() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    let mut previous = client.frame().await;
    let began = Instant::now();
    for _ in 0..30 {
        let frame = client.frame().await;
        assert_eq!(keys(&frame), KEYS);
        shape::check(&frame["timestamp"], &json!("float"));
        shape::check(&frame["server_time"], &json!("float"));
        assert!(frame["timestamp"].as_f64() > previous["timestamp"].as_f64(), "monotonic seconds grow");
        previous = frame;
    }
    let took = began.elapsed().as_secs_f64();
    assert!((2.7..4.0).contains(&took), "thirty frames take three seconds, not {took}");

    let current = server.get("/api/metrics/current").await.json();
    for section in ["market_data", "strategy", "execution", "system"] {
        assert_eq!(keys(&previous[section]), keys(&current[section]), "{section}");
    }
}

#[tokio::test]
async fn frames_are_compact_json_and_the_same_for_everybody() {
    let server = Server::start().await;
    let (mut one, mut other) = (Client::connect(&server).await, Client::connect(&server).await);
    let mut seen = Vec::new();
    for _ in 0..10 {
        seen.push(one.text().await);
    }
    assert!(seen.iter().all(|text| !text.contains(": ") && !text.contains('\n')));
    let shared = async {
        for _ in 0..20 {
            if seen.contains(&other.text().await) {
                return true;
            }
        }
        false
    };
    assert!(shared.await, "the other client gets the same texts");
}

#[tokio::test]
async fn ping_is_answered_and_everything_else_ignored() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    for ignored in ["pong", "PING", "Ping", " ping", "subscribe:", "{\"type\":\"health\"}", "", "subscribe:nonsense"] {
        client.send(ignored).await;
    }
    client.send("ping").await;
    let mut frames = 0;
    // A text `ping` of the server's own may come in between: its clock does not start with the client.
    let answer = loop {
        match client.text().await {
            text if text.starts_with('{') => frames += 1,
            text if text == "ping" => {}
            text => break text,
        }
        assert!(frames < 20, "no answer for two seconds");
    };
    assert_eq!(answer, "pong");
    assert_eq!(keys(&client.frame().await), KEYS);
}

#[tokio::test]
async fn the_server_pings_every_fifteen_seconds_with_bare_text() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    let next = async |client: &mut Client| {
        let text = tokio::time::timeout(Duration::from_secs(20), client.bare_text()).await.expect("a ping");
        assert_eq!(text, "ping");
        Instant::now()
    };
    let first = next(&mut client).await;
    let second = next(&mut client).await;
    let between = (second - first).as_secs_f64();
    assert!((13.0..17.0).contains(&between), "{between} s between two pings");
}

#[tokio::test]
async fn a_protocol_ping_is_answered_with_its_payload() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.socket.send(Message::Ping("payload".into())).await.unwrap();
    let payload = loop {
        if let Message::Pong(payload) = client.message().await.unwrap().unwrap() {
            break payload;
        }
    };
    assert_eq!(payload, "payload");
}

#[tokio::test]
async fn a_subscription_empties_the_other_sections() {
    let server = Launch::new().arguments(["--demo"]).start().await;
    let mut client = Client::connect(&server).await;
    let filled = |frame: &Value| -> Vec<String> {
        let sections = ["market_data", "strategy", "execution", "system"].into_iter();
        sections.filter(|section| frame[section] != json!({})).map(str::to_owned).collect()
    };
    let all = ["market_data", "strategy", "execution", "system"];
    assert_eq!(filled(&client.frame().await), all);
    for (subscription, expected) in [
        ("subscribe:market_data", vec!["market_data"]),
        ("subscribe:system", vec!["market_data", "system"]),
        ("subscribe:nonsense", vec!["market_data", "system"]),
        ("subscribe:all", all.to_vec()),
        ("subscribe:execution", vec!["execution"]),
    ] {
        client.send(subscription).await;
        eventually(&format!("{subscription} gives {expected:?}"), async || {
            let frame = client.frame().await;
            assert_eq!(keys(&frame), KEYS, "every key stays");
            (filled(&frame) == expected).then_some(())
        })
        .await;
        assert_eq!(filled(&client.frame().await), expected, "and it stays so");
    }
}

#[tokio::test]
async fn pages_of_known_origins_may_listen_and_others_may_not() {
    let server = Server::start().await;
    let (own, port) = (server.url(""), server.address.port());
    for (origin, status) in [
        (own.as_str(), 101),
        ("http://localhost:3000", 101),
        ("http://localhost:5173", 101),
        ("http://elsewhere.example", 403),
        ("null", 403),
        ("http://localhost:3001", 403),
        (&format!("https://127.0.0.1:{port}"), 403),
    ] {
        let mut request = server.url("/ws/metrics").replace("http", "ws").into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        let answered = match tokio_tungstenite::connect_async(request).await {
            Ok((_, response)) => {
                assert!(!response.headers().contains_key("sec-websocket-protocol"));
                response.status()
            }
            Err(Error::Http(response)) => {
                let told = String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned();
                assert!(told.contains("--cors-origins"), "{told}");
                response.status()
            }
            Err(error) => panic!("{origin}: {error}"),
        };
        assert_eq!(answered, status, "{origin}");
    }
}

#[tokio::test]
async fn the_pages_about_the_service_count_the_clients() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.send("subscribe:system").await;
    client.frame().await;
    let _second = Client::connect(&server).await;
    assert_eq!(server.get("/health/live").await.json()["websocket_connections"], 2);
    eventually("both clients get frames", async || {
        let stats = server.get("/api/system/stats").await.json();
        assert_eq!(stats["api"]["websocket_connections"], 2);
        (stats["api"]["total_messages_sent"].as_i64().unwrap() > 2).then_some(())
    })
    .await;
    let websocket = server.get("/api/system/components").await.json()["components"]["websocket"].clone();
    assert_eq!((&websocket["connections"], &websocket["stats"]["current_connections"]), (&json!(2), &json!(2)));
    let connections = websocket["stats"]["connections"].as_array().unwrap();
    for connection in connections {
        shape::check(
            connection,
            &json!({
                "client_id": "str", "uptime": "float", "message_count": "int", "error_count": "int",
                "subscriptions": ["str"],
            }),
        );
    }
    let ours = connections.iter().find(|connection| connection["client_id"] == client.welcome["client_id"]).unwrap();
    assert_eq!(ours["subscriptions"], json!(["system"]));
    drop(client);
    eventually("a client that left is not counted", async || {
        (server.get("/health/live").await.json()["websocket_connections"] == 1).then_some(())
    })
    .await;
}

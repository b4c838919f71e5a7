//! What a client sees, over real sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::{Clients, routes, spawn_frames};
use crate::live::{Live, MarketDataSection, SymbolValues};

/// More than anything here takes, the give-up time for a client that does not read included.
const PATIENCE: Duration = Duration::from_secs(30);

struct Server {
    address: SocketAddr,
    live: Arc<Live>,
    clients: Arc<Clients>,
    shutdown: CancellationToken,
}

async fn server(max: usize) -> Server {
    let (live, clients, shutdown) = (Arc::new(Live::new()), Arc::new(Clients::new(max)), CancellationToken::new());
    spawn_frames(Arc::clone(&live), Arc::clone(&clients), shutdown.clone());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = routes().with_state(Arc::clone(&clients));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Server { address, live, clients, shutdown }
}

impl Server {
    async fn try_connect(&self, path: &str) -> Result<Client, Error> {
        let socket = TcpStream::connect(self.address).await?;
        let (stream, _) = tokio_tungstenite::client_async(format!("ws://{}{path}", self.address), socket).await?;
        Ok(Client(stream))
    }

    /// A client that has been welcomed.
    async fn connect(&self) -> Client {
        let mut client = self.try_connect("/ws/metrics").await.unwrap();
        assert_eq!(client.json().await["type"], "connected");
        client
    }

    async fn refusal(&self, path: &str) -> (u16, Option<Vec<u8>>) {
        match self.try_connect(path).await {
            Err(Error::Http(response)) => (response.status().as_u16(), response.body().clone()),
            other => panic!("expected a refusal, not {:?}", other.map(|client| client.0)),
        }
    }
}

struct Client(WebSocketStream<TcpStream>);

impl Client {
    async fn message(&mut self) -> Message {
        tokio::time::timeout(PATIENCE, self.0.next()).await.unwrap().unwrap().unwrap()
    }

    async fn json(&mut self) -> Value {
        serde_json::from_str(self.message().await.to_text().unwrap()).unwrap()
    }

    async fn say(&mut self, message: impl Into<Message>) {
        self.0.send(message.into()).await.unwrap();
    }

    /// Reads on to the end, and returns the close code and reason.
    async fn close(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(Some(frame)) = self.message().await {
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }
}

fn sections_with_content(frame: &Value) -> Vec<&str> {
    let sections = ["market_data", "strategy", "execution", "system"];
    sections.into_iter().filter(|section| !frame[section].as_object().unwrap().is_empty()).collect()
}

#[tokio::test]
async fn frames_follow_the_welcome_ten_times_a_second() {
    let server = server(1).await;
    let mut client = server.connect().await;
    client.json().await;
    let mut times = Vec::new();
    for _ in 0..10 {
        times.push(client.json().await["timestamp"].as_f64().unwrap());
    }
    assert!(times.is_sorted_by(|before, after| before < after), "{times:?}");
    // A busy machine makes fewer, and never more.
    let took = times[9] - times[0];
    assert!((0.8..9.0).contains(&took), "nine more frames took {took} s");
}

#[tokio::test]
async fn a_ping_is_answered_and_other_texts_are_not() {
    let server = server(1).await;
    let mut client = server.connect().await;
    for text in ["PING", "pong", "{\"type\":\"heartbeat\"}", "ping"] {
        client.say(text).await;
    }
    loop {
        let message = client.message().await;
        if message.to_text().unwrap() == "pong" {
            return;
        }
        assert!(message.to_text().unwrap().starts_with("{\"timestamp\":"), "{message}");
    }
}

#[tokio::test]
async fn subscriptions_narrow_the_frames_and_keep_their_keys() {
    let server = server(2).await;
    let (mut client, mut other) = (server.connect().await, server.connect().await);
    client.say("subscribe:strategy").await;
    client.say("subscribe:system").await;
    while sections_with_content(&client.json().await) != ["strategy", "system"] {}
    assert_eq!(sections_with_content(&other.json().await).len(), 4);
    assert_eq!(server.clients.statistics().stats.connections[0].subscriptions, ["strategy", "system"]);
    client.say("subscribe:all").await;
    while sections_with_content(&client.json().await).len() != 4 {}
}

#[tokio::test]
async fn new_values_are_in_the_next_frames() {
    let server = server(1).await;
    let mut client = server.connect().await;
    server.live.set_market_data(MarketDataSection { total_trades: 42, ..Default::default() });
    while client.json().await["market_data"]["total_trades"] != 42 {}
}

#[tokio::test]
async fn one_client_too_many_is_refused_until_another_leaves() {
    let server = server(1).await;
    let mut client = server.connect().await;
    assert_eq!(server.refusal("/ws/metrics").await, (403, Some(Vec::new())));
    client.0.close(None).await.unwrap();
    server.clients.left(PATIENCE).await;
    server.connect().await;
}

#[tokio::test]
async fn a_plain_request_finds_nothing() {
    let server = server(1).await;
    let response = reqwest::get(format!("http://{}/ws/metrics", server.address)).await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.unwrap(), r#"{"detail":"Not Found"}"#);
}

#[tokio::test]
async fn a_binary_message_ends_the_conversation() {
    let server = server(1).await;
    let mut client = server.connect().await;
    client.say(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(client.close().await, (1000, String::new()));
}

#[tokio::test]
async fn shutdown_sends_everybody_away_and_waits_for_them() {
    let server = server(3).await;
    let mut clients = [server.connect().await, server.connect().await, server.connect().await];
    server.shutdown.cancel();
    for client in &mut clients {
        assert_eq!(client.close().await, (1012, String::new()));
    }
    let start = Instant::now();
    drop(clients);
    server.clients.left(PATIENCE).await;
    assert!(start.elapsed() < PATIENCE);
    assert_eq!(server.clients.statistics().connections, 0);
    assert_eq!(server.refusal("/ws/metrics").await.0, 403);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_and_holds_nobody_up() {
    let server = server(2).await;
    let symbol = |number| (format!("SYMBOL{number}"), SymbolValues { last_price: 1.0 / 3.0, ..Default::default() });
    server.live.set_market_data(MarketDataSection { symbols: (0..5_000).map(symbol).collect(), ..Default::default() });
    let mut reader = server.connect().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let socket = socket.connect(server.address).await.unwrap();
    let url = format!("ws://{}/ws/metrics", server.address);
    let _silent = tokio_tungstenite::client_async(url, socket).await.unwrap();

    let start = Instant::now();
    while server.clients.count() == 2 {
        let before = Instant::now();
        reader.json().await;
        assert!(before.elapsed() < Duration::from_secs(5), "the silent client held up the other one");
        assert!(start.elapsed() < PATIENCE, "the silent client was not dropped");
    }
    let statistics = server.clients.statistics().stats;
    assert!(statistics.total_errors > 0);
    assert_eq!(statistics.current_connections, 1);
}

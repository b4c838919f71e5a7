//! How connections are refused, and how they end.

use futures::SinkExt;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::Client;
use crate::common::{Launch, Server, eventually};

/// The status with which a handshake is refused.
async fn refusal(server: &Server, path: &str) -> (u16, Vec<u8>) {
    match connect_async(server.url(path).replace("http", "ws")).await {
        Err(Error::Http(response)) => (response.status().as_u16(), response.into_body().unwrap_or_default()),
        Err(error) => panic!("{path}: {error}"),
        Ok(_) => panic!("{path} was accepted"),
    }
}

#[tokio::test]
async fn another_path_is_refused_at_the_handshake() {
    let server = Server::start().await;
    for path in ["/ws", "/ws/", "/ws/other", "/ws/metrics/more", "/", "/api/metrics/current"] {
        assert_eq!(refusal(&server, path).await.0, 403, "{path}");
    }
}

#[tokio::test]
async fn one_client_too_many_is_refused_until_another_leaves() {
    let server = Launch::new().arguments(["--max-websocket-clients", "3"]).start().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(&server).await);
    }
    assert_eq!(refusal(&server, "/ws/metrics").await, (403, Vec::new()));
    assert_eq!(server.get("/health/live").await.json()["websocket_connections"], 3);
    for client in &mut clients {
        client.frame().await;
    }
    clients.pop();
    eventually("there is room again", async || {
        connect_async(server.url("/ws/metrics").replace("http", "ws")).await.ok().map(drop)
    })
    .await;
}

#[tokio::test]
async fn a_binary_frame_ends_the_connection_in_good_order() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(client.close_code().await, (1000, String::new()));
}

#[tokio::test]
async fn a_client_that_closes_is_answered() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.socket.send(Message::Close(None)).await.unwrap();
    let ended = async {
        while let Some(Ok(message)) = client.message().await {
            if message.is_close() {
                return true;
            }
        }
        false
    };
    assert!(ended.await, "the close is answered with a close");
}

#[tokio::test]
async fn a_stopping_server_says_that_it_restarts() {
    let mut server = Server::start().await;
    let mut clients = vec![Client::connect(&server).await, Client::connect(&server).await];
    for client in &mut clients {
        client.frame().await;
    }
    server.signal("TERM");
    for client in &mut clients {
        assert_eq!(client.close_code().await, (1012, String::new()));
    }
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn a_frame_that_breaks_the_protocol_ends_only_its_own_connection() {
    let server = Server::start().await;
    let mut bystander = Client::connect(&server).await;
    let mut client = Client::connect(&server).await;
    // The server may hang up before it has read all of it.
    let _sent = client.socket.send(Message::text("x".repeat(32 << 20))).await;
    let mut texts = 0;
    while let Some(Ok(message)) = client.message().await {
        texts += usize::from(message.is_text());
        if message.is_close() || texts > 100 {
            break;
        }
    }
    bystander.frame().await;
    assert_eq!(server.get("/health").await.status, 200);
}

//! The stream of live values, over real sockets.
//!
//! `protocol` looks at what one client sees, `closing` at how connections are refused and end, `crowd` at many clients
//! at once and at one that does not read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod closing;
mod crowd;
mod protocol;

use std::time::Duration;

use common::Server;
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A client of the stream.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    welcome: Value,
}

impl Client {
    /// Connects and takes the welcome.
    async fn connect(server: &Server) -> Self {
        let (socket, _) = connect_async(server.url("/ws/metrics").replace("http", "ws")).await.expect("a handshake");
        let mut client = Self { socket, welcome: Value::Null };
        client.welcome = serde_json::from_str(&client.text().await).expect("the welcome is JSON");
        client
    }

    async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("the server reads");
    }

    /// The next message, within ten seconds.
    async fn message(&mut self) -> Option<Result<Message, tungstenite::Error>> {
        tokio::time::timeout(Duration::from_secs(10), self.socket.next()).await.expect("something within ten seconds")
    }

    /// The next text, whatever it is.
    async fn text(&mut self) -> String {
        loop {
            match self.message().await.expect("the stream goes on").expect("a message") {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a text: {other:?}"),
            }
        }
    }

    /// The next frame of values.
    async fn frame(&mut self) -> Value {
        loop {
            if let Ok(frame) = serde_json::from_str(&self.text().await) {
                return frame;
            }
        }
    }

    /// The next text that is not JSON.
    async fn bare_text(&mut self) -> String {
        loop {
            let text = self.text().await;
            if !text.starts_with('{') {
                return text;
            }
        }
    }

    /// The code with which the server closes.
    async fn close_code(&mut self) -> (u16, String) {
        loop {
            match self.message().await.expect("a close frame before the end") {
                Ok(Message::Close(Some(close))) => return (close.code.into(), close.reason.to_string()),
                Ok(Message::Close(None)) => panic!("closed without a code"),
                Ok(_) => {}
                Err(error) => panic!("broken, not closed: {error}"),
            }
        }
    }
}

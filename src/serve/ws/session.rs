//! The conversation with one client: one task that reads and writes.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use bytes::Bytes;
use serde::Serialize;
use tokio::time::timeout;
use uuid::Uuid;

use super::clients::Seat;
use super::frame::{Frame, unix_seconds};
use super::keepalive::{Due, Keepalive};
use super::publisher::{FREQUENCY_HZ, Frames, Latest};

/// Time that one message may take on its way into the connection before the client is given up.
const SEND_WITHIN: Duration = Duration::from_secs(5);
/// Time for the goodbye, from either side.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Talks to a client until one of the two has enough.
pub(super) async fn run(socket: WebSocket, seat: Seat) {
    let frames = seat.frames();
    let mut session = Session { socket, frames, seat, keepalive: Keepalive::new(Instant::now()), pings: None };
    let Err(end) = session.converse().await;
    tracing::debug!(client = %session.seat.id(), ?end, "WebSocket client leaves");
    session.finish(end).await;
}

struct Session {
    socket: WebSocket,
    frames: Frames,
    seat: Seat,
    keepalive: Keepalive,
    /// Text pings that were due when the client was last sent a frame.
    pings: Option<u64>,
}

/// Why a conversation ends.
#[derive(Debug)]
enum End {
    /// The client has said goodbye, or is gone.
    Left,
    /// A message did not get through, or not in time.
    Undeliverable,
    /// The server has a reason to close.
    Close { code: u16, reason: &'static str },
}

impl Session {
    async fn converse(&mut self) -> Result<Infallible, End> {
        self.text(welcome(self.seat.id())).await?;
        if matches!(*self.frames.borrow(), Latest::Stopped) {
            return Err(End::Close { code: close_code::RESTART, reason: "" });
        }
        loop {
            tokio::select! {
                message = self.socket.recv() => match message {
                    Some(Ok(message)) => self.hear(message).await?,
                    Some(Err(_)) | None => return Err(End::Left),
                },
                changed = self.frames.changed() => {
                    let latest = self.frames.borrow_and_update().clone();
                    match (changed, latest) {
                        (Ok(()), Latest::Frame(frame)) => self.deliver(&frame).await?,
                        (Ok(()), Latest::Nothing) => {}
                        _ => return Err(End::Close { code: close_code::RESTART, reason: "" }),
                    }
                }
            }
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), End> {
        match message {
            Message::Text(text) if text == "ping" => self.text(Utf8Bytes::from_static("pong")).await,
            Message::Text(text) => {
                self.seat.subscribe(self.seat.subscription().after(&text));
                Ok(())
            }
            Message::Pong(_) => {
                self.keepalive.answered(Instant::now());
                Ok(())
            }
            // The library has the pong ready and sends it when it is next asked to read.
            Message::Ping(_) => Ok(()),
            Message::Binary(_) => Err(End::Close { code: close_code::NORMAL, reason: "" }),
            Message::Close(_) => Err(End::Left),
        }
    }

    async fn deliver(&mut self, frame: &Frame) -> Result<(), End> {
        self.text(frame.text(self.seat.subscription())).await?;
        self.seat.delivered(frame.sequence);
        if self.pings.replace(frame.pings).is_some_and(|before| before < frame.pings) {
            self.text(Utf8Bytes::from_static("ping")).await?;
        }
        match self.keepalive.due(frame.made) {
            Due::Nothing => Ok(()),
            Due::Ping => self.send(Message::Ping(Bytes::new())).await,
            Due::GiveUp => Err(End::Close { code: close_code::ERROR, reason: "keepalive ping timeout" }),
        }
    }

    async fn text(&mut self, text: Utf8Bytes) -> Result<(), End> {
        self.send(Message::Text(text)).await?;
        self.seat.sent();
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_WITHIN, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Undeliverable),
        }
    }

    /// Says goodbye, and waits a moment for the answer, so that the client reads the close frame and not a reset.
    async fn finish(mut self, end: End) {
        let goodbye = match end {
            End::Undeliverable => {
                self.seat.failed(1);
                return;
            }
            End::Left => None,
            End::Close { code, reason } => {
                Some(Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) })))
            }
        };
        let _ = timeout(CLOSE_WITHIN, async {
            if let Some(goodbye) = goodbye {
                self.socket.send(goodbye).await?;
            }
            while let Some(Ok(_)) = self.socket.recv().await {}
            Ok::<(), axum::Error>(())
        })
        .await;
    }
}

#[derive(Serialize)]
struct Welcome {
    r#type: &'static str,
    client_id: String,
    server_time: f64,
    update_frequency_hz: u32,
}

fn welcome(client_id: Uuid) -> Utf8Bytes {
    let welcome = Welcome {
        r#type: "connected",
        client_id: client_id.to_string(),
        server_time: unix_seconds(),
        update_frequency_hz: FREQUENCY_HZ,
    };
    serde_json::to_string(&welcome).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_welcome_tells_the_client_its_id() {
        let id = Uuid::new_v4();
        let text = welcome(id);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let keys: Vec<_> = value.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["type", "client_id", "server_time", "update_frequency_hz"]);
        assert_eq!(value["type"], "connected");
        assert_eq!(value["client_id"], id.to_string());
        assert_eq!(value["update_frequency_hz"], 10);
        assert!(text.contains("\"update_frequency_hz\":10}"));
    }
}

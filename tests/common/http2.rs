//! HTTP/2 by hand, for clients that take nothing.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection whose streams may send nothing until they are allowed to.
pub struct Http2 {
    stream: TcpStream,
    address: SocketAddr,
    next: u32,
}

/// What comes on a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Came {
    Headers(u32),
    Data(u32, usize),
    Reset(u32),
}

impl Http2 {
    pub async fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("the server accepts");
        let mut opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        // SETTINGS_INITIAL_WINDOW_SIZE is 0.
        opening.extend(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
        stream.write_all(&opening).await.expect("the server reads");
        Self { stream, address, next: 1 }
    }

    /// Asks for `path` on a stream of its own, and gives its number.
    pub async fn ask(&mut self, path: &str) -> u32 {
        self.open("GET", path, END_STREAM | END_HEADERS).await
    }

    /// The same for a request whose body does not come.
    pub async fn begin(&mut self, path: &str) -> u32 {
        self.open("POST", path, END_HEADERS).await
    }

    async fn open(&mut self, method: &str, path: &str, flags: u8) -> u32 {
        let authority = self.address.to_string();
        let mut head = Vec::new();
        for (name, value) in
            [(":method", method), (":scheme", "http"), (":path", path), (":authority", authority.as_str())]
        {
            // Literals that are not indexed.
            head.push(0);
            for text in [name, value] {
                head.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("short"));
                head.extend(text.as_bytes());
            }
        }
        let number = self.next;
        self.next += 2;
        self.send(HEADERS, flags, number, &head).await;
        number
    }

    /// Allows a stream, or with 0 the connection, to send so much more.
    pub async fn allow(&mut self, number: u32, bytes: u32) {
        self.send(WINDOW_UPDATE, 0, number, &bytes.to_be_bytes()).await;
    }

    /// What comes next; `None` when the server has closed the connection, or nothing comes for long.
    pub async fn next(&mut self) -> Option<Came> {
        loop {
            let mut head = [0; 9];
            let read = tokio::time::timeout(Duration::from_secs(30), self.stream.read_exact(&mut head));
            read.await.ok()?.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let number = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await.ok()?;
            match head[3] {
                DATA => return Some(Came::Data(number, length)),
                HEADERS => return Some(Came::Headers(number)),
                RST_STREAM => return Some(Came::Reset(number)),
                SETTINGS if head[4] & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                PING if head[4] & ACK == 0 => self.send(PING, ACK, 0, &payload).await,
                _ => {}
            }
        }
    }

    /// A connection that the server has closed is noticed when it is read.
    async fn send(&mut self, kind: u8, flags: u8, number: u32, payload: &[u8]) {
        let _closed = self.stream.write_all(&frame(kind, flags, number, payload)).await;
    }
}

fn frame(kind: u8, flags: u8, number: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(number.to_be_bytes());
    bytes.extend(payload);
    bytes
}

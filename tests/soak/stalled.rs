//! Clients that hold on to what they have been given, and come back when it is taken from them.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

/// How long a client waits before it comes back.
const AGAIN: Duration = Duration::from_secs(1);
/// What a stalled upload sends before it stalls.
const PART: usize = 64 << 10;

/// An export that is begun and never read.
pub async fn export(address: SocketAddr, stop: CancellationToken) {
    let request = format!("GET /api/export/market_data?format=json HTTP/1.1\r\nhost: {address}\r\n\r\n");
    hold(address, request.into_bytes(), stop).await;
}

/// A body that is announced and never completed.
pub async fn upload(address: SocketAddr, stop: CancellationToken) {
    let header = format!(
        "POST /api/ingest/market_data HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        PART * 16
    );
    let mut request = header.into_bytes();
    request.resize(request.len() + PART, b' ');
    hold(address, request, stop).await;
}

/// A WebSocket whose frames are never read.
pub async fn websocket(address: SocketAddr, stop: CancellationToken) {
    let request = format!(
        "GET /ws/metrics HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    hold(address, request.into_bytes(), stop).await;
}

/// Sends a request and reads nothing until the server gives up; then once more.
async fn hold(address: SocketAddr, request: Vec<u8>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => return,
            // A refused connection is as good as one that was closed.
            _ = held(address, &request) => {}
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn held(address: SocketAddr, request: &[u8]) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    // So small that the server cannot be rid of its answer.
    socket.set_recv_buffer_size(4_096)?;
    let mut stream = socket.connect(address).await?;
    stream.write_all(request).await?;
    closed(&mut stream).await;
    Ok(())
}

/// Returns when the server has closed or reset the connection, without reading what it sends.
async fn closed(stream: &mut TcpStream) {
    let mut clock = tokio::time::interval(AGAIN);
    loop {
        clock.tick().await;
        // A byte that nobody expects: an error says that there is nobody any more.
        let mut byte = [0; 1];
        match stream.peek(&mut byte).await {
            Ok(0) | Err(_) => return,
            Ok(_) if stream.write_all(b" ").await.is_err() => {
                let mut rest = Vec::new();
                let _ended_anyway = stream.read_to_end(&mut rest).await;
                return;
            }
            Ok(_) => {}
        }
    }
}

//! The socket of a connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::admission::Place;
use super::linger::Linger;

/// Time after which a silent peer is asked whether it is still there, and between two such probes.
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// Time that what was sent may stay unacknowledged, or the peer's window closed, before the system gives up.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);
/// What may wait in the system to be sent. Its own buffers hold megabytes, and a slow client would seem to take nothing until
/// a good part of them is gone; a client that takes nothing at all would keep them.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 256 << 10;

/// A socket with its place among the connections, which is free again when both are dropped. What becomes of the connection,
/// a WebSocket for one, it takes the place with it.
pub(super) struct Socket {
    stream: TcpStream,
    place: Place,
    /// Whether the peer has to take something before more can be written.
    full: bool,
    /// Since the last word was sent.
    linger: Option<Linger>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, place: Place) -> Self {
        // A system that does not know an option serves without it.
        if let Err(error) = tune(&stream) {
            tracing::debug!(%error, "a socket keeps the system's options");
        }
        Self { stream, place, full: false, linger: None }
    }

    /// Once a full socket takes something again, its client has moved.
    fn written<T>(&mut self, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &outcome {
            Poll::Pending if !self.full => {
                self.full = true;
                self.place.activity.blocked();
            }
            Poll::Pending => {}
            Poll::Ready(Ok(_)) if self.full => {
                self.full = false;
                self.place.activity.moved();
            }
            Poll::Ready(_) => {}
        }
        outcome
    }
}

/// Small answers go out at once, and a peer that is gone is noticed.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(PROBE_AFTER);
    #[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows", target_os = "freebsd"))]
    let keepalive = keepalive.with_interval(PROBE_EVERY);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
        socket.set_tcp_notsent_lowat(UNSENT)?;
    }
    Ok(())
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, linger, .. } = &mut *self;
        if linger.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
        }
        linger.get_or_insert_with(Linger::new).poll(cx, stream).map(Ok)
    }
}

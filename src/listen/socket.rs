//! The socket of a connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::admission::Place;
use super::linger::Linger;
use crate::budget::Reservation;

/// What may come of a head before it takes room: few are longer. Buffers of this size belong to every connection.
const USUAL_HEAD: u64 = 4 << 10;
/// The same where it is encrypted, in records that are read to their end first.
const USUAL_ENCRYPTED_HEAD: u64 = USUAL_HEAD + (18 << 10);
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
    /// So much of a head may come before it takes room.
    usual_head: u64,
    head: Head,
    /// Whether the peer has to take something before more can be written.
    full: bool,
    /// Since the last word was sent.
    linger: Option<Linger>,
}

/// The head of a request that has not begun.
enum Head {
    /// It takes no room of its own.
    Usual,
    /// It is long, and waits for room.
    Waits(Pin<Box<dyn Future<Output = Option<Reservation>> + Send>>),
    /// It is long, and has room.
    Long { _room: Reservation },
}

/// Heads of requests that do not end have taken the room that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for the head of a request")]
struct NoRoom;

impl Socket {
    pub(super) fn new(stream: TcpStream, place: Place, is_encrypted: bool) -> Self {
        // A system that does not know an option serves without it.
        if let Err(error) = tune(&stream) {
            tracing::debug!(%error, "a socket keeps the system's options");
        }
        let usual_head = if is_encrypted { USUAL_ENCRYPTED_HEAD } else { USUAL_HEAD };
        Self { stream, place, usual_head, head: Head::Usual, full: false, linger: None }
    }

    /// Waits for room for the rest of a long head, and gives it back when the request has begun.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), NoRoom>> {
        let activity = &self.place.activity;
        if activity.head() < self.usual_head {
            if !matches!(self.head, Head::Usual) {
                self.head = Head::Usual;
                activity.holds_head(false);
            }
            return Poll::Ready(Ok(()));
        }
        if let Head::Usual = self.head {
            self.head = Head::Waits(Box::pin(Arc::clone(self.place.connections()).room_for_head()));
        }
        if let Head::Waits(room) = &mut self.head {
            self.head = Head::Long { _room: ready!(room.as_mut().poll(cx)).ok_or(NoRoom)? };
            activity.holds_head(true);
        }
        Poll::Ready(Ok(()))
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
        ready!(self.poll_room(cx)).map_err(io::Error::other)?;
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.place.activity.received(buffer.filled().len() - before);
        outcome
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

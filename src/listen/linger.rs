//! Reading on after the last word, so that the peer hears it.
//!
//! A system that closes a socket with unread bytes in it resets the connection, and a client that was still sending its body
//! sees a broken pipe in place of the refusal that it was sent.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// A peer that sends nothing for this long has nothing more to send, or takes too long over it.
const QUIET: Duration = Duration::from_millis(50);
/// The same once it has sent something.
const PAUSE: Duration = Duration::from_millis(200);
/// How long it may go on at the most.
const LONGEST: Duration = Duration::from_secs(2);
/// What is read, and forgotten, at a time.
const PIECE: usize = 16 << 10;

/// What a peer still sends is read and forgotten, for a bounded time.
pub(super) struct Linger {
    quiet: Pin<Box<Sleep>>,
    until: Instant,
}

impl Linger {
    pub(super) fn new() -> Self {
        Self { quiet: Box::pin(sleep(QUIET)), until: Instant::now() + LONGEST }
    }

    /// Ready when the peer has hung up, pauses, or has gone on for too long.
    pub(super) fn poll<R: AsyncRead + Unpin>(&mut self, cx: &mut Context<'_>, mut stream: R) -> Poll<()> {
        let mut piece = [0; PIECE];
        loop {
            let mut buffer = ReadBuf::new(&mut piece);
            match Pin::new(&mut stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let now = Instant::now();
                    if now >= self.until {
                        return Poll::Ready(());
                    }
                    self.quiet.as_mut().reset((now + PAUSE).min(self.until));
                }
                Poll::Ready(Ok(()) | Err(_)) => return Poll::Ready(()),
                Poll::Pending => return self.quiet.as_mut().poll(cx),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn a_peer_that_is_still_sending_hears_the_last_word() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = tokio::spawn(async move {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(&vec![b'x'; 4 << 20]).await.unwrap();
            let mut heard = String::new();
            client.read_to_string(&mut heard).await.unwrap();
            heard
        });
        let (mut server, _) = listener.accept().await.unwrap();
        server.write_all(b"no").await.unwrap();
        server.shutdown().await.unwrap();
        let mut linger = Linger::new();
        poll_fn(|cx| linger.poll(cx, &mut server)).await;
        drop(server);
        assert_eq!(client.await.unwrap(), "no");
    }

    #[tokio::test]
    async fn a_silent_peer_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let began = Instant::now();
        let mut linger = Linger::new();
        poll_fn(|cx| linger.poll(cx, &mut server)).await;
        assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
    }
}

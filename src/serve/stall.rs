//! Responses that make no progress are cut: what they hold in the database is for those that do.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::batch::ReadError;
use crate::encode::ByteStream;

/// How long a client may take nothing of its response. One chunk of 64 KiB in this time is progress.
pub const STALL_LIMIT: Duration = Duration::from_secs(30);

/// The same bytes until the client has taken none of them for `limit`: then the query behind them ends, and the response
/// is cut. The time in which the query computes does not count.
pub fn cut_when_stalled(bytes: ByteStream, limit: Duration) -> ByteStream {
    let shared =
        Arc::new(Shared { state: Mutex::new(State { bytes: Some(bytes), waiting_since: Some(Instant::now()) }) });
    let ended = CancellationToken::new();
    tokio::spawn(watch(shared.clone(), limit, ended.clone()));
    Guarded { shared, limit, is_cut: false, _end: ended.drop_guard() }.boxed()
}

struct Guarded {
    shared: Arc<Shared>,
    limit: Duration,
    /// Whether that has been told.
    is_cut: bool,
    _end: DropGuard,
}

struct Shared {
    state: Mutex<State>,
}

struct State {
    /// `None` once the response is cut.
    bytes: Option<ByteStream>,
    /// Since when the client has not asked for more; `None` while the query computes.
    waiting_since: Option<Instant>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the response is to be cut if the client asks for nothing before. After that it is cut.
    fn deadline(&self, limit: Duration) -> Option<Instant> {
        let mut state = self.state();
        let now = Instant::now();
        let deadline = state.waiting_since.unwrap_or(now) + limit;
        if deadline > now {
            return Some(deadline);
        }
        let cut = state.bytes.take();
        drop(state);
        if cut.is_some() {
            tracing::warn!(seconds = limit.as_secs(), "a response was cut: its client took nothing of it");
        }
        None
    }
}

async fn watch(shared: Arc<Shared>, limit: Duration, ended: CancellationToken) {
    while let Some(deadline) = shared.deadline(limit) {
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => {}
            () = ended.cancelled() => return,
        }
    }
}

impl Stream for Guarded {
    type Item = Result<Bytes, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = {
            let mut state = self.shared.state();
            let polled = state.bytes.as_mut().map(|bytes| bytes.poll_next_unpin(context));
            state.waiting_since = match polled {
                Some(Poll::Pending) => None,
                _ => Some(Instant::now()),
            };
            polled
        };
        match polled {
            Some(polled) => polled,
            None if self.is_cut => Poll::Ready(None),
            None => {
                self.is_cut = true;
                Poll::Ready(Some(Err(ReadError::Stalled(self.limit))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    /// Endless bytes that come as fast as they are taken, and what tells that they are gone.
    fn endless() -> (ByteStream, CancellationToken) {
        let gone = CancellationToken::new();
        let guard = gone.clone().drop_guard();
        let bytes = stream::repeat_with(move || {
            let _held = &guard;
            Ok(Bytes::from_static(b"x"))
        });
        (bytes.boxed(), gone)
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_loses_its_query() {
        let (bytes, gone) = endless();
        let mut guarded = cut_when_stalled(bytes, LIMIT);
        assert!(guarded.next().await.unwrap().is_ok());
        let began = Instant::now();
        // Nobody polls: the query is gone by itself.
        gone.cancelled().await;
        assert!(began.elapsed() >= LIMIT / 2, "{:?}", began.elapsed());
        assert_eq!(guarded.next().await, Some(Err(ReadError::Stalled(LIMIT))));
        assert_eq!(guarded.next().await, None);
    }

    #[tokio::test]
    async fn a_slow_client_and_a_slow_query_are_left_alone() {
        let (bytes, gone) = endless();
        let slow = bytes.then(|chunk| async {
            tokio::time::sleep(LIMIT * 2).await;
            chunk
        });
        let mut guarded = cut_when_stalled(slow.boxed(), LIMIT);
        for _ in 0..4 {
            tokio::time::sleep(LIMIT / 4).await;
            assert!(guarded.next().await.unwrap().is_ok());
        }
        assert!(!gone.is_cancelled());
    }
}

//! An answer on a connection that has many, which can stall and be cut without them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

use super::Outgoing;
use super::exchange::Exchange;
use crate::budget::{Holding, Reservation, Responses};

/// What is handed over at a time. Of one piece nobody sees how much has been taken.
const PIECE: usize = 16 << 10;

/// The body of an answer.
pub(super) struct Stream {
    shared: Arc<Shared>,
}

/// An answer and its pieces that are not in the socket yet: it ends with the last of them.
struct Shared {
    exchange: Exchange,
    /// Where a cut can take it away.
    content: Mutex<Option<Content>>,
    /// Set before anything is handed over.
    watch: OnceLock<Watch>,
    _held: [Option<Reservation>; 2],
}

struct Content {
    body: Body,
    /// What is left of its last piece.
    rest: Bytes,
}

/// Whose turn it is: the client's from the beginning, and as long as there is something that it has not taken.
struct Watch {
    turn: Mutex<Turn>,
    holding: Holding,
}

#[derive(Default)]
struct Turn {
    /// Pieces that the socket does not have yet.
    pieces: usize,
    /// Whether the server works for the next one.
    working: bool,
}

/// A piece on its way to the socket.
struct Piece {
    bytes: Bytes,
    shared: Arc<Shared>,
}

/// The client took nothing of the answer while others needed what it held, or for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client took nothing of the response")]
struct Cut;

impl Stream {
    pub(super) fn new(exchange: Exchange, outgoing: Outgoing, responses: &Responses) -> Self {
        let Outgoing { body, held } = outgoing;
        let content = Mutex::new(Some(Content { body, rest: Bytes::new() }));
        let shared = Arc::new(Shared { exchange, content, watch: OnceLock::new(), _held: held });
        let cut = Arc::downgrade(&shared);
        let holding = responses.hold(move || {
            if let Some(shared) = cut.upgrade() {
                shared.cut();
            }
        });
        holding.waits();
        let _first = shared.watch.set(Watch { turn: Mutex::default(), holding });
        Self { shared }
    }
}

impl Shared {
    fn content(&self) -> MutexGuard<'_, Option<Content>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of the body, and with it of the query behind it. HTTP does not ask for a body that it cannot send, so the stream
    /// itself is reset only when the client makes room; until then it costs what a request does.
    fn cut(&self) {
        if !self.exchange.cut() {
            return;
        }
        // Whoever has the lock looks after it whether there was a cut: it may be this very answer, which asks for room.
        let content = self.content.try_lock().ok().and_then(|mut content| content.take());
        drop(content);
        self.exchange.retire_connection();
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let outcome = match self.content().as_mut() {
            Some(content) => content.poll(cx),
            None => Poll::Ready(None),
        };
        if self.exchange.is_cut() {
            let content = self.content().take();
            drop(content);
            return Poll::Ready(Some(Err(axum::Error::new(Cut))));
        }
        outcome
    }
}

impl Content {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)?).map(Frame::into_data) {
                Some(Ok(data)) => self.rest = data,
                Some(Err(other)) => return Poll::Ready(Some(Ok(other))),
                None => return Poll::Ready(None),
            }
        }
        let piece = self.rest.split_to(PIECE.min(self.rest.len()));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl Watch {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client has one more piece to take.
    fn handed_over(&self) {
        let mut turn = self.turn();
        *turn = Turn { pieces: turn.pieces + 1, working: false };
        self.holding.waits();
    }

    /// It has taken one.
    fn taken(&self) {
        let mut turn = self.turn();
        turn.pieces -= 1;
        if turn.pieces == 0 && turn.working { self.holding.goes_on() } else { self.holding.waits() }
    }

    /// The server works for the next one.
    fn works(&self) {
        let mut turn = self.turn();
        turn.working = true;
        if turn.pieces == 0 {
            self.holding.goes_on();
        }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some(watch) = self.shared.watch.get() {
            watch.taken();
        }
    }
}

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let shared = &self.shared;
        let outcome = shared.poll(cx);
        let watch = shared.watch.get();
        let Poll::Ready(Some(Ok(frame))) = outcome else {
            if let (Some(watch), true) = (watch, outcome.is_pending()) {
                watch.works();
            }
            return outcome;
        };
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(bytes) => {
                if let Some(watch) = watch {
                    watch.handed_over();
                }
                Frame::data(Bytes::from_owner(Piece { bytes, shared: Arc::clone(shared) }))
            }
            Err(other) => other,
        })))
    }

    fn is_end_stream(&self) -> bool {
        let content = self.shared.content();
        content.as_ref().is_some_and(|content| content.rest.is_empty() && content.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        // Asked for before the first piece.
        self.shared.content().as_ref().map(|content| content.body.size_hint()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::{FutureExt, StreamExt, stream};
    use http_body_util::BodyExt;
    use tokio_util::sync::CancellationToken;

    use super::super::activity::{Activity, Closed};
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3_600);

    fn answer(body: Body) -> (Stream, Arc<Activity>, Responses) {
        let responses = Responses::new(1, 2);
        let activity = Activity::new(&responses);
        let reservation = responses.bytes().try_reserve(1).unwrap();
        let outgoing = Outgoing { body, held: [Some(reservation), None] };
        (Stream::new(Exchange::begin(&activity), outgoing, &responses), activity, responses)
    }

    /// Pieces, then what is waited for, and what tells that it is gone.
    fn pieces(count: usize) -> (Body, CancellationToken) {
        let gone = CancellationToken::new();
        let guard = gone.clone().drop_guard();
        let pieces = stream::repeat_with(|| Ok::<_, std::io::Error>("piece")).take(count).chain(stream::pending());
        let pieces = pieces.inspect(move |_| {
            let _held = &guard;
        });
        (Body::from_stream(pieces), gone)
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_loses_its_answer_and_its_query() {
        let (body, gone) = pieces(2);
        let (mut answer, activity, responses) = answer(body);
        let piece = answer.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(piece, "piece");
        responses.cut_stalled(Duration::ZERO);
        // Nobody polls: the query is gone by itself.
        gone.cancelled().await;
        assert_eq!((responses.cut(), responses.bytes().used()), (1, 1));
        assert_eq!(activity.overdue(PATIENCE).await, Closed::Stalled, "nothing else is under way");
        let error = answer.frame().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), Cut.to_string());
        assert!(!answer.is_end_stream());
        drop(answer);
        assert_eq!(responses.bytes().used(), 1, "the socket has not taken the piece");
        drop(piece);
        assert_eq!(responses.bytes().used(), 0);
        assert!(activity.idle().is_some());
    }

    #[tokio::test]
    async fn nobody_is_cut_while_the_server_works_or_the_client_takes_something() {
        let (body, gone) = pieces(2);
        let (mut answer, _activity, responses) = answer(body);
        let first = answer.frame().await.unwrap().unwrap();
        let second = answer.frame().await.unwrap().unwrap();
        assert!(answer.frame().now_or_never().is_none());
        drop(first);
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(second);
        responses.cut_stalled(Duration::ZERO);
        assert!(!gone.is_cancelled(), "all was taken, and the server works");
    }

    #[tokio::test]
    async fn what_is_not_taken_stalls_even_while_the_server_works_for_more() {
        let (body, gone) = pieces(1);
        let (mut answer, _activity, responses) = answer(body);
        let _piece = answer.frame().await.unwrap().unwrap();
        assert!(answer.frame().now_or_never().is_none());
        responses.cut_stalled(Duration::ZERO);
        gone.cancelled().await;
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_while_it_is_asked_for_more_ends_there() {
        let place = Arc::new(OnceLock::<Responses>::new());
        let cutter = Arc::clone(&place);
        let pieces = stream::repeat_with(move || {
            if let Some(responses) = cutter.get() {
                responses.cut_stalled(Duration::ZERO);
            }
            Ok::<_, std::io::Error>("piece")
        });
        let (mut answer, _activity, responses) = answer(Body::from_stream(pieces));
        let _first = answer.frame().await.unwrap().unwrap();
        place.set(responses).ok().unwrap();
        assert!(answer.frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn large_pieces_are_handed_over_in_small_ones_with_the_same_length() {
        let (mut answer, _activity, _responses) = answer(Body::from(vec![b'x'; 2 * PIECE + 1]));
        assert_eq!(answer.size_hint().exact(), Some(2 * PIECE as u64 + 1));
        for size in [PIECE, PIECE, 1] {
            assert!(!answer.is_end_stream());
            assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap().len(), size);
        }
        assert!(answer.is_end_stream());
        assert!(answer.frame().await.is_none());
    }
}

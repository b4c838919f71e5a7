//! A request and its answer, from the head of the one to the last byte of the other.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

use super::Outgoing;
use super::activity::Activity;
use super::stream::Stream;
use crate::budget::{Reservation, Responses};

/// Counts in what its connection is doing.
pub(super) struct Exchange {
    activity: Arc<Activity>,
    is_cut: AtomicBool,
    /// Whether another request of its connection was under way when it came.
    pub(super) multiplexed: bool,
}

/// The body of an answer.
pub(super) enum Answer {
    /// On a connection that has one at a time.
    Alone(Alone),
    /// On a connection that has many.
    AmongOthers(Stream),
}

/// The body of an answer that stalls where its socket does: it needs no watch of its own.
pub(super) struct Alone {
    body: Body,
    /// What the last piece takes along, if it is known to be the last; otherwise it goes with the body.
    kept: Option<Kept>,
}

/// What is there until the socket has the last byte.
struct Kept {
    _exchange: Exchange,
    _held: [Option<Reservation>; 2],
}

/// The last piece on its way to the socket.
struct Last {
    bytes: Bytes,
    _kept: Option<Kept>,
}

impl Exchange {
    /// A request has come.
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        let multiplexed = activity.begin();
        Self { activity: Arc::clone(activity), is_cut: AtomicBool::new(false), multiplexed }
    }

    /// Its answer, on a connection that has one at a time: it stalls where its socket does.
    pub(super) fn answer(self, outgoing: Outgoing) -> Answer {
        let Outgoing { body, held } = outgoing;
        Answer::Alone(Alone { body, kept: Some(Kept { _exchange: self, _held: held }) })
    }

    /// Its answer, on a connection that has many: each stalls for itself, whatever the others do.
    pub(super) fn answer_among_others(self, outgoing: Outgoing, responses: &Responses) -> Answer {
        Answer::AmongOthers(Stream::new(self, outgoing, responses))
    }

    /// Ends the answer early. Whether it is the first time.
    pub(super) fn cut(&self) -> bool {
        !self.is_cut.swap(true, Ordering::SeqCst)
    }

    /// The connection can go when all of its answers have ended or were cut.
    pub(super) fn retire_connection(&self) {
        self.activity.cut();
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::SeqCst)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.activity.end(self.is_cut());
    }
}

impl AsRef<[u8]> for Last {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for Alone {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)?) else { return Poll::Ready(None) };
        if !self.body.is_end_stream() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let kept = self.kept.take();
        Poll::Ready(Some(Ok(frame.map_data(|bytes| Bytes::from_owner(Last { bytes, _kept: kept })))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Self::Alone(answer) => Pin::new(answer).poll_frame(cx),
            Self::AmongOthers(answer) => Pin::new(answer).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Alone(answer) => answer.is_end_stream(),
            Self::AmongOthers(answer) => answer.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Alone(answer) => answer.size_hint(),
            Self::AmongOthers(answer) => answer.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body_util::BodyExt;

    use super::*;

    fn answer(body: Body) -> (Answer, Arc<Activity>, Responses) {
        let responses = Responses::new(1, 2);
        let activity = Activity::new(&responses);
        let reservation = responses.bytes().try_reserve(1).unwrap();
        let outgoing = Outgoing { body, held: [Some(reservation), None] };
        (Exchange::begin(&activity).answer(outgoing), activity, responses)
    }

    #[tokio::test]
    async fn a_whole_answer_lasts_until_its_bytes_are_gone() {
        let (mut answer, activity, responses) = answer(Body::from("whole"));
        assert_eq!(answer.size_hint().exact(), Some(5));
        let bytes = answer.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(answer.is_end_stream());
        drop(answer);
        assert_eq!((responses.bytes().used(), activity.idle()), (1, None));
        drop(bytes);
        assert_eq!((responses.bytes().used(), activity.idle().is_some()), (0, true));
    }

    #[tokio::test]
    async fn one_that_comes_in_pieces_lasts_until_its_end() {
        let (mut answer, activity, responses) =
            answer(Body::from_stream(stream::iter(["a", "b"].map(Ok::<_, std::io::Error>))));
        while let Some(piece) = answer.frame().await {
            assert_eq!(piece.unwrap().into_data().unwrap().len(), 1);
            assert_eq!((responses.bytes().used(), activity.idle()), (1, None));
        }
        drop(answer);
        assert_eq!((responses.bytes().used(), activity.idle().is_some()), (0, true));
    }
}

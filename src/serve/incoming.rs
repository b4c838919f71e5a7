//! The body of a request, from its head to the handler that reads it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Error;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

use crate::budget::{Arrival, BodyRoom};

/// A body of up to this size is covered by the place of its request.
pub(super) const COVERED: usize = 8 << 10;

/// A body, and what of it came before anybody asked for it.
pub(super) struct Incoming {
    body: Body,
    ahead: BytesMut,
    failed: Option<Error>,
    /// The client sends nothing before it is told to go on.
    expects: bool,
    arrival: Arc<Arrival>,
    /// Its place among the bodies that arrive.
    place: Option<BodyRoom>,
}

/// A body for a handler.
pub struct Upload {
    /// The body.
    pub body: Body,
    /// How it comes.
    pub arrival: Arc<Arrival>,
    /// The headers of its request.
    pub headers: HeaderMap,
}

impl Incoming {
    /// Takes the body of a request out of it, if it has one.
    pub(super) fn take(request: &mut Request) -> Option<Self> {
        if request.body().is_end_stream() {
            return None;
        }
        let body = std::mem::take(request.body_mut());
        let expects = request.headers().contains_key(EXPECT);
        let (ahead, arrival) = (BytesMut::new(), Arrival::begin());
        Some(Self { body, ahead, failed: None, expects, arrival, place: None })
    }

    pub(super) fn put_back(self, request: &mut Request) {
        request.extensions_mut().insert(Arc::clone(&self.arrival));
        *request.body_mut() = Body::new(self);
    }

    pub(super) fn arrival(&self) -> &Arc<Arrival> {
        &self.arrival
    }

    /// Whether all of it came with its head, or nearly so: what has reached this machine is looked at, and nothing is waited for.
    pub(super) async fn has_come(&mut self) -> bool {
        // The connection reads it once it has been asked for, and has its turn in between.
        let mut asked = false;
        let whole = self.whole();
        tokio::pin!(whole);
        std::future::poll_fn(|cx| match whole.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if asked => Poll::Ready(false),
            Poll::Pending => {
                asked = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await
    }

    /// Waits until all of it is there, or it has broken off. One that is more than the place of its request covers, or has to be
    /// asked for, never is.
    pub(super) async fn whole(&mut self) {
        let small = self.body.size_hint().lower() + (self.ahead.len() as u64) <= COVERED as u64;
        while small && !self.expects && self.ahead.len() <= COVERED {
            match self.body.frame().await {
                Some(Ok(frame)) => self.ahead.extend(frame.into_data().ok()),
                Some(Err(error)) => self.failed = Some(error),
                None => self.arrival.end(),
            }
            if self.body.is_end_stream() {
                self.arrival.end();
            }
            if self.arrival.is_over() || self.failed.is_some() {
                return;
            }
        }
        std::future::pending().await
    }

    /// It has a place, and its client can be waited for.
    pub(super) fn let_in(&mut self, place: BodyRoom) {
        self.place = Some(place);
        self.arrival.restart();
        self.arrival.received(self.ahead.len());
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx)?);
        if let Some(data) = frame.as_ref().and_then(Frame::data_ref) {
            self.arrival.received(data.len());
        }
        if frame.is_none() || self.body.is_end_stream() {
            self.arrival.end();
            self.place = None;
        }
        Poll::Ready(frame.map(Ok))
    }
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if !self.ahead.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(self.ahead.split().freeze()))));
        }
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match self.arrival.is_over() {
            true => Poll::Ready(None),
            false => self.poll_rest(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.failed.is_none() && self.arrival.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, ahead) = (self.body.size_hint(), self.ahead.len() as u64);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + ahead);
        }
        hint.set_lower(hint.lower() + ahead);
        hint
    }
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let arrival = parts.extensions.get::<Arc<Arrival>>().cloned();
        Ok(Self { body, arrival: arrival.unwrap_or_else(Arrival::begin), headers: parts.headers })
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt, stream};

    use super::*;
    use crate::budget::Arrivals;

    fn incoming(body: Body) -> Incoming {
        Incoming::take(&mut Request::new(body)).unwrap()
    }

    /// A body that never ends.
    fn stalled(text: &'static str) -> Body {
        let first = stream::iter([Ok::<_, std::io::Error>(text)]);
        Body::from_stream(first.chain(stream::pending()))
    }

    async fn read(mut request: Request) -> Result<Bytes, Error> {
        Ok(std::mem::take(request.body_mut()).collect().await?.to_bytes())
    }

    #[tokio::test]
    async fn a_body_that_came_with_its_head_is_read_as_it_was() {
        assert!(Incoming::take(&mut Request::new(Body::empty())).is_none());
        for (body, length) in [
            (Body::from("whole"), Some(5)),
            (Body::from_stream(stream::iter(["wh", "", "ole"].map(Ok::<_, std::io::Error>))), None),
        ] {
            let mut incoming = incoming(body);
            assert!(incoming.has_come().await);
            assert!(incoming.arrival().is_over() && !incoming.is_end_stream());
            assert!(length.is_none_or(|length| incoming.size_hint().exact() == Some(length)));
            let mut request = Request::new(Body::empty());
            incoming.put_back(&mut request);
            assert_eq!(read(request).await.unwrap(), "whole");
        }
    }

    #[tokio::test]
    async fn one_that_has_not_come_is_not_waited_for_and_holds_a_place_until_it_has() {
        let places = Arrivals::new("places", 1);
        let (sender, receiver) = futures::channel::mpsc::unbounded::<Result<&str, std::io::Error>>();
        sender.unbounded_send(Ok("first ")).unwrap();
        let mut incoming = incoming(Body::from_stream(receiver));
        assert!(!incoming.has_come().await);
        let place = places.reserve(incoming.arrival(), 1, std::time::Duration::ZERO).await.unwrap();
        incoming.let_in(place);
        let arrival = Arc::clone(incoming.arrival());
        let mut request = Request::new(Body::empty());
        incoming.put_back(&mut request);
        sender.unbounded_send(Ok("second")).unwrap();
        assert_eq!((places.budget().used(), arrival.is_over()), (1, false));
        drop(sender);
        let reading = read(request).map(|read| (read.unwrap(), places.budget().used(), arrival.is_over()));
        assert_eq!(reading.await, (Bytes::from("first second"), 0, true));
    }

    #[tokio::test]
    async fn a_large_one_and_one_that_is_asked_for_are_not_read_ahead() {
        let large = || Body::from(vec![b'x'; COVERED + 1]);
        let mut body = incoming(large());
        assert!(!body.has_come().await && body.ahead.is_empty());
        let mut request = Request::new(Body::from("small"));
        request.headers_mut().insert(EXPECT, axum::http::HeaderValue::from_static("100-continue"));
        let mut body = Incoming::take(&mut request).unwrap();
        assert!(!body.has_come().await && body.ahead.is_empty());
    }

    #[tokio::test]
    async fn one_that_is_dropped_before_its_end_is_not_over() {
        let mut body = incoming(stalled("first"));
        assert!(!body.has_come().await);
        let arrival = Arc::clone(body.arrival());
        drop(body);
        assert!(!arrival.is_over());
    }
}

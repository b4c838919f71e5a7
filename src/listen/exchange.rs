//! A request and its answer, from the head of the one to the last byte of the other.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

use super::activity::Activity;

/// Counts in what its connection is doing.
pub(super) struct Exchange {
    activity: Arc<Activity>,
    working: bool,
}

/// The body of an answer. While it has nothing to give, the server works; between two of its pieces it is the client's turn.
pub(super) struct Answer {
    body: Body,
    exchange: Exchange,
}

impl Exchange {
    /// A request has come, and the server works.
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.begin();
        activity.work();
        Self { activity: Arc::clone(activity), working: true }
    }

    /// The answer has begun.
    pub(super) fn answer(mut self, body: Body) -> Answer {
        self.turn(false);
        Answer { body, exchange: self }
    }

    fn turn(&mut self, working: bool) {
        if self.working != working {
            self.working = working;
            self.activity.moved();
            if working { self.activity.work() } else { self.activity.rest() }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.working {
            self.activity.rest();
        }
        self.activity.end();
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let outcome = Pin::new(&mut self.body).poll_frame(cx);
        self.exchange.turn(outcome.is_pending());
        if outcome.is_ready() {
            self.exchange.activity.moved();
        }
        outcome
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::{StreamExt, stream};
    use http_body_util::BodyExt;

    use super::super::activity::Closed;
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn it_is_the_clients_turn_whenever_there_is_something_to_take() {
        let activity = Arc::new(Activity::new());
        let pieces = stream::iter([Ok::<_, std::io::Error>("one")]).chain(stream::pending());
        let mut answer = Exchange::begin(&activity).answer(Body::from_stream(pieces));
        assert_eq!(activity.overdue(PATIENCE).await, Closed::Stalled, "the first piece is there to be taken");
        assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
        assert!(tokio::time::timeout(PATIENCE, answer.frame()).await.is_err());
        assert!(tokio::time::timeout(4 * PATIENCE, activity.overdue(PATIENCE)).await.is_err(), "the server works");
        drop(answer);
        assert_eq!(activity.overdue(PATIENCE).await, Closed::Idle);
    }
}

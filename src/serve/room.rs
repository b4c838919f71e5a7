//! Room for requests and for their answers: each has its place before anything is done for it, and its bytes are counted until
//! the client has them.
//!
//! One connection can have many requests under way, and its client may take the answer of none. Of everything that there is
//! here, such requests take at most half: the other half is for the first request of each connection, so that a crowd of
//! requests on a few connections keeps nobody else out, and not even from waiting.

use std::sync::Arc;
use std::time::Duration;

use axum::body::HttpBody;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use super::error::detail;
use super::health;
use super::incoming::Incoming;
use crate::budget::{Arrivals, Budget, Reservation, Responses};
use crate::listen::TurnedAway;

/// How long a request, or an answer that is ready, waits for room.
const PATIENCE: Duration = Duration::from_secs(5);
/// Answers that wait may take so many times what those may that are counted.
const WAITING_ANSWERS: u64 = 4;
/// So many may be told at one time that there is no room.
const REFUSALS: u64 = 128;
/// Places that are kept for questions whether the server lives.
const VITAL: u64 = 32;
/// A body of up to this size is covered by the place of its request.
const SMALL: u64 = 1 << 10;

/// Marks a response whose bytes are counted where they are made, or belong to the program itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted;

/// Who gives it.
pub(super) struct Room {
    responses: Responses,
    patience: Duration,
    vital: Budget,
    requests: Shares<Budget>,
    arriving: Shares<Arrivals>,
    bytes: Shares<Budget>,
    /// Requests that wait: as many as may be under way, so that a crowd that takes nothing does not keep others from waiting
    /// until it is cut. One that waits takes half of what is counted for one under way, and is not counted beside it.
    waiting: Shares<Budget>,
    /// Bytes of answers that wait: they are there and not counted yet.
    waiting_answers: Shares<Budget>,
    refusals: Shares<Budget>,
}

/// A budget, as it is for the first request of a connection and as it is for those that come while another is under way.
struct Shares<T> {
    whole: T,
    half: T,
}

/// Bytes, and what was reserved for them.
pub(super) struct Held {
    bytes: Bytes,
    _reservations: Vec<Reservation>,
}

impl Room {
    pub(super) fn new(responses: Responses) -> Self {
        let waiting = responses.requests().limit();
        let waiting_answers = responses.bytes().limit().saturating_mul(WAITING_ANSWERS);
        Self {
            patience: PATIENCE,
            vital: Budget::new("places for questions about health", VITAL),
            requests: Shares::of(responses.requests().clone()),
            arriving: Shares { half: responses.arriving().first_half(), whole: responses.arriving().clone() },
            bytes: Shares::of(responses.bytes().clone()),
            waiting: Shares::of(Budget::new("requests that wait for room", waiting)),
            waiting_answers: Shares::of(Budget::new("answers that wait for room", waiting_answers)),
            refusals: Shares::of(Budget::new("requests that are told that there is no room", REFUSALS)),
            responses,
        }
    }

    /// A place for a request, or one that is only good for being told that there is none.
    /// `multiplexed` says whether another of its connection is under way.
    pub(super) async fn enter(
        &self,
        path: &str,
        multiplexed: bool,
        body: Option<&mut Incoming>,
    ) -> Result<(Reservation, bool), TurnedAway> {
        let vital = [health::LIVE, health::READY].contains(&path);
        if vital && let Ok(place) = self.vital.try_reserve(1) {
            return Ok((place, true));
        }
        let comes_in = match body {
            Some(body) => self.wait_for_body(body, multiplexed).await.is_some(),
            None => true,
        };
        let place = if comes_in { self.place(multiplexed).await } else { None };
        match place {
            Some(place) => Ok((place, true)),
            None => Ok((self.refusals.of_one(multiplexed).try_reserve(1).map_err(|_| TurnedAway)?, false)),
        }
    }

    /// Waits at the door until all of a body is there, or there is a place for it among those that arrive.
    ///
    /// So nobody whose body came with its head, or soon after, waits for those whose bodies do not come. The first request of a
    /// connection costs hardly more here than the connection; others count as waiting.
    async fn wait_for_body(&self, body: &mut Incoming, multiplexed: bool) -> Option<()> {
        if body.has_come().await {
            return Some(());
        }
        let _line = multiplexed.then(|| self.waiting.half.try_reserve(1)).transpose().ok()?;
        let arrival = Arc::clone(body.arrival());
        let place = tokio::select! {
            biased;
            () = body.whole() => return Some(()),
            place = self.arriving.of_one(multiplexed).reserve(&arrival, 1, self.patience) => place.ok()?,
        };
        body.let_in(place);
        Some(())
    }

    async fn place(&self, multiplexed: bool) -> Option<Reservation> {
        let requests = self.requests.of_one(multiplexed);
        if let Ok(place) = requests.try_reserve(1) {
            return Some(place);
        }
        let _turn = self.waiting.of_one(multiplexed).try_reserve(1).ok()?;
        self.responses.place(requests, self.patience).await.ok()
    }

    /// The response with what is reserved for its body, if all of that is there and not counted yet; one that says so if there
    /// is no room.
    pub(super) async fn leave(&self, response: Response, multiplexed: bool) -> (Response, Option<Reservation>) {
        let length = response.body().size_hint().exact().filter(|length| *length > SMALL);
        let Some(length) = length.filter(|_| response.extensions().get::<Counted>().is_none()) else {
            return (response, None);
        };
        let bytes = self.bytes.of_one(multiplexed);
        match self.reserve(bytes, length.min(bytes.limit()), self.waiting_answers.of_one(multiplexed), length).await {
            Some(bytes) => (response, Some(bytes)),
            None => (full(), None),
        }
    }

    /// `amount` of a budget, or of all there is if it is more. Meanwhile `line` is taken of what may wait.
    async fn reserve(&self, budget: &Budget, amount: u64, waiting: &Budget, line: u64) -> Option<Reservation> {
        if let Ok(reservation) = budget.try_reserve(amount) {
            return Some(reservation);
        }
        let _turn = waiting.try_reserve(line.min(waiting.limit())).ok()?;
        self.responses.reserve(budget, amount, self.patience).await.ok()
    }
}

impl Shares<Budget> {
    fn of(whole: Budget) -> Self {
        Self { half: whole.first_half(), whole }
    }
}

impl<T> Shares<T> {
    /// What a request may draw on.
    fn of_one(&self, multiplexed: bool) -> &T {
        if multiplexed { &self.half } else { &self.whole }
    }
}

/// The answer to a request for which there is no room.
pub(super) fn full() -> Response {
    let text = "responses that wait for their clients take the memory that there is for them: come back later, or let the \
                operator raise --memory-limit";
    let mut response = detail(StatusCode::SERVICE_UNAVAILABLE, text);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Bytes that give `reservations` back when the last of them is gone.
pub(super) fn held(bytes: Bytes, reservations: Vec<Reservation>) -> Bytes {
    Bytes::from_owner(Held { bytes, _reservations: reservations })
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures::FutureExt;

    use super::*;

    fn room(bytes: u64) -> Room {
        Room { patience: Duration::from_millis(10), ..Room::new(Responses::new(1, 2 * bytes)) }
    }

    fn response(length: u64) -> Response {
        Response::new(Body::from(vec![b'x'; usize::try_from(length).unwrap()]))
    }

    #[tokio::test]
    async fn a_crowd_is_told_that_there_is_no_room_and_health_is_answered() {
        let room = room(1);
        let all = room.responses.requests().limit();
        let crowd: Vec<_> = (0..all).map(|_| room.responses.requests().try_reserve(1).unwrap()).collect();
        let (_refused, admitted) = room.enter("/api/trades/", false, None).await.unwrap();
        assert!(!admitted);
        assert!(room.enter(health::LIVE, true, None).now_or_never().unwrap().unwrap().1);
        let mut told = Vec::new();
        while let Ok(place) = room.refusals.whole.try_reserve(1) {
            told.push(place);
        }
        assert_eq!(room.enter("/api/trades/", false, None).await.err(), Some(TurnedAway));
        drop(crowd);
        assert!(room.enter("/api/trades/", false, None).await.unwrap().1);
    }

    #[tokio::test]
    async fn many_requests_of_few_connections_leave_half_of_everything() {
        let room = room(8 * SMALL);
        let mut crowd = Vec::new();
        while let Ok((place, _)) = room.enter("/api/trades/", true, None).await {
            crowd.push(place);
        }
        let requests = room.responses.requests();
        assert_eq!((requests.used(), crowd.len() as u64), (requests.limit() / 2, (requests.limit() + REFUSALS) / 2));
        assert!(
            room.enter("/api/trades/", false, None).now_or_never().unwrap().unwrap().1,
            "a first one need not wait"
        );
        let (_taken, held) = room.leave(response(3 * SMALL), true).await;
        assert_eq!(held.map(|held| held.amount()), Some(3 * SMALL));
        let _most = room.leave(response(4 * SMALL), true).await;
        assert_eq!(room.leave(response(2 * SMALL), true).await.0.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(room.leave(response(4 * SMALL), false).now_or_never().unwrap().1.is_some());
    }

    #[tokio::test]
    async fn the_bytes_of_an_answer_are_counted_until_they_are_gone() {
        let room = room(4 * SMALL);
        let bytes = room.responses.bytes();
        let (_first, held) = room.leave(response(3 * SMALL), false).await;
        assert_eq!(bytes.used(), 3 * SMALL);
        let (refused, nothing) = room.leave(response(2 * SMALL), false).await;
        assert_eq!((refused.status(), nothing.is_none()), (StatusCode::SERVICE_UNAVAILABLE, true));
        assert_eq!(refused.headers()[RETRY_AFTER], "1");
        assert!(room.leave(response(SMALL), false).await.1.is_none(), "a small one is covered");
        let mut counted = response(2 * SMALL);
        counted.extensions_mut().insert(Counted);
        assert_eq!(room.leave(counted, false).await.0.status(), StatusCode::OK);
        drop(held);
        assert_eq!(
            room.leave(response(9 * SMALL), false).await.1.map(|all| all.amount()),
            Some(4 * SMALL),
            "all there is"
        );
    }
}

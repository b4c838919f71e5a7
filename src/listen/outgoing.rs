//! What the service hands over to be sent.

use axum::body::Body;

use crate::budget::Reservation;

/// A body, and what was reserved for it, which is given back when the socket has the last of it.
pub struct Outgoing {
    pub(super) body: Body,
    pub(super) held: [Option<Reservation>; 2],
}

/// There is no room for a request, nor for telling so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for the request")]
pub struct TurnedAway;

impl Outgoing {
    /// A body, the place of its request, and what is reserved for the bytes of the body unless they are counted as they come.
    pub fn new(body: Body, place: Reservation, bytes: Option<Reservation>) -> Self {
        Self { body, held: [Some(place), bytes] }
    }
}

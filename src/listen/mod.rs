//! The sockets that clients come in by, and what each of them may take.
//!
//! * `accept` takes connections in until the server stops, and sees them off;
//! * `admission` says who may come in: so many connections in all, and so many of one address;
//! * `activity` knows what a connection is doing, and when nothing has moved for too long;
//! * `socket` is a connection's socket, which gives its place back when it closes, and `linger` its last moments;
//! * `exchange` follows a request through to the last byte of its answer, and `stream` one of many on a connection, which is
//!   cut when its client takes nothing of it;
//! * `outgoing` is what the service hands over to be sent, and `stalled` looks for those who do not take it;
//! * `conversation` speaks HTTP on a connection, and ends it when its client keeps the server waiting.
//!
//! What waits for its client holds a place and nothing else. When places run out, those that have waited longest between two
//! requests make room for those who have something to ask; when all of them are at work, a newcomer is told so at once, and
//! `/health/live` is answered all the same.

mod accept;
mod activity;
mod address;
mod admission;
mod conversation;
mod exchange;
mod linger;
mod outgoing;
mod socket;
mod stalled;
mod stream;

use std::time::Duration;

pub use accept::{Listener, serve};
pub use admission::{Connections, Limits};
pub use outgoing::{Outgoing, TurnedAway};
pub use stalled::cut_stalled;

/// A client that is waited for this long loses its connection, where no request has begun or a head does not come to its end,
/// or the answer of which it takes nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for a connection beyond the limit, which is there to be told so.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Marks the requests of connections beyond the limit: only whether the server lives is answered to them.
#[derive(Debug, Clone, Copy)]
pub struct Overloaded;

/// Marks the requests that came while another of their connection was under way.
#[derive(Debug, Clone, Copy)]
pub struct Multiplexed;

//! The sockets that clients come in by, and what each of them may take.
//!
//! * `accept` takes connections in until the server stops, and sees them off;
//! * `admission` says who may come in: so many connections in all, and so many of one address;
//! * `activity` knows what a connection is doing, and when nothing has moved for too long;
//! * `socket` is a connection's socket, which gives its place back when it closes, and `linger` its last moments;
//! * `exchange` follows a request through to the last byte of its answer;
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
mod socket;

use std::time::Duration;

pub use accept::{Listener, serve};
pub use admission::{Connections, Limits};

/// A connection that waits for its client, and on which nothing has moved for this long, is closed: no request has begun, a
/// head does not come to its end, or the client takes nothing of its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for a connection beyond the limit, which is there to be told so.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Marks the requests of connections beyond the limit: only whether the server lives is answered to them.
#[derive(Debug, Clone, Copy)]
pub struct Overloaded;

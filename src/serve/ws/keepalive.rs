//! How a silent peer is told from a dead one: protocol pings, and how long their pongs may take.

use std::time::{Duration, Instant};

/// Time from one sign of life to the next ping.
const PING_AFTER: Duration = Duration::from_secs(20);
/// Time that a pong may take.
const PONG_WITHIN: Duration = Duration::from_secs(20);

/// The state of one peer. It has no timer of its own: the ten-hertz frames are clock enough.
#[derive(Debug)]
pub(super) struct Keepalive {
    ping_sent: bool,
    deadline: Instant,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    /// The ping was not answered in time.
    GiveUp,
}

impl Keepalive {
    /// A peer that has just connected.
    pub(super) fn new(now: Instant) -> Self {
        Self { ping_sent: false, deadline: now + PING_AFTER }
    }

    /// A pong has come.
    pub(super) fn answered(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// What is due at `now`; a ping that is due is taken to be sent.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        if now < self.deadline {
            Due::Nothing
        } else if self.ping_sent {
            Due::GiveUp
        } else {
            *self = Self { ping_sent: true, deadline: now + PONG_WITHIN };
            Due::Ping
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_peer_that_never_answers_is_given_up_after_forty_seconds() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start);
        assert_eq!(keepalive.due(start + 19 * SECOND), Due::Nothing);
        assert_eq!(keepalive.due(start + 20 * SECOND), Due::Ping);
        assert_eq!(keepalive.due(start + 39 * SECOND), Due::Nothing);
        assert_eq!(keepalive.due(start + 40 * SECOND), Due::GiveUp);
    }

    #[test]
    fn a_pong_buys_another_twenty_seconds_without_a_ping() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start);
        assert_eq!(keepalive.due(start + 20 * SECOND), Due::Ping);
        keepalive.answered(start + 21 * SECOND);
        assert_eq!(keepalive.due(start + 40 * SECOND), Due::Nothing);
        assert_eq!(keepalive.due(start + 41 * SECOND), Due::Ping);
    }
}

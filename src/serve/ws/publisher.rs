//! The clock: makes a frame ten times a second and lays it out for the clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::clients::Clients;
use super::frame::Frame;
use crate::live::Live;

/// Frames in a second.
pub(super) const FREQUENCY_HZ: u32 = 10;
/// Time between two text pings, one schedule for the whole server.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// What a client finds when it looks for news.
#[derive(Clone, Default)]
pub(super) enum Latest {
    /// The clock has not ticked yet.
    #[default]
    Nothing,
    /// The newest frame.
    Frame(Arc<Frame>),
    /// The server shuts down: there will be no other frame.
    Stopped,
}

/// The channel's two ends, as the clients keep them.
pub(super) type Frames = watch::Receiver<Latest>;

/// Starts the clock, which ends with `shutdown` and then sends every client away.
///
/// A tick that comes late is not made up for: clients want the newest values, not all of them.
pub fn spawn_frames(live: Arc<Live>, clients: Arc<Clients>, shutdown: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        let started = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / FREQUENCY_HZ);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut sequence = 0;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => {}
            }
            sequence += 1;
            let pings = started.elapsed().as_secs() / PING_INTERVAL.as_secs();
            clients.publish(Latest::Frame(Arc::new(Frame::new(sequence, pings, live.snapshot()))));
        }
        clients.publish(Latest::Stopped);
    })
}

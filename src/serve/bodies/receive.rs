//! A body, piece by piece.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::{Memory, Received, Shared};
use crate::budget::{Arrival, BodyRoom, Exhausted};
use crate::ingest::DecodeError;
use crate::serve::ApiError;
use crate::serve::incoming::{COVERED, Upload};

/// Bodies up to this size have memory of their own.
const SMALL: u64 = 64 << 10;
/// The least that is allocated for a body.
const FIRST: usize = 4 << 10;
/// What a slow body has to bring, once it has had twice the time in which it may stand still.
const BYTES_PER_SECOND: u64 = 1 << 10;
/// How long a body waits for memory.
const PATIENCE: Duration = Duration::from_secs(2);

/// What has come of a body, and the memory that is counted for it.
struct Gathered<'a> {
    bytes: Vec<u8>,
    room: Option<BodyRoom>,
    memory: &'a Memory,
    arrival: Arc<Arrival>,
    /// The most that it can be.
    most: usize,
}

impl Shared {
    /// The whole body.
    ///
    /// One that announces more is refused before it is sent. One that stands still, or hardly moves, is given up, and one that is
    /// slow while others need what it holds.
    pub(super) async fn receive(&self, memory: &Memory, upload: Upload) -> Result<Received, ApiError> {
        let limit = memory.limit;
        let Upload { mut body, arrival, headers } = upload;
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|announced| announced > limit) {
            return Err(ApiError::BodyTooLarge(limit));
        }
        let most = announced.unwrap_or(limit);
        let started = Instant::now();
        let mut gathered = Gathered { bytes: Vec::new(), room: None, memory, arrival: Arc::clone(&arrival), most };
        loop {
            let frame = tokio::select! {
                biased;
                frame = timeout_at(self.deadline(started, gathered.bytes.len()), body.frame()) => frame,
                () = arrival.is_cut() => {
                    self.cut.fetch_add(1, Ordering::Relaxed);
                    return Err(ApiError::UploadDisplaced);
                }
            };
            let frame = frame.map_err(|_| ApiError::UploadStalled(self.timeout.as_secs_f64()))?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| ApiError::BrokenBody(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            if gathered.bytes.len() + data.len() > limit {
                return Err(ApiError::BodyTooLarge(limit));
            }
            gathered.make_room(data.len()).await?;
            gathered.bytes.extend_from_slice(&data);
        }
        Ok(Received { bytes: gathered.bytes.into(), _held: gathered.room.map(BodyRoom::keep) })
    }

    /// When the next piece has to be here.
    fn deadline(&self, started: Instant, received: usize) -> Instant {
        let in_all = started + 2 * self.timeout + Duration::from_secs(received as u64 / BYTES_PER_SECOND);
        in_all.min(Instant::now() + self.timeout)
    }
}

impl Gathered<'_> {
    /// Room for `more`, up to twice what there was. (While it is moved it is there twice; that happens on a thread that
    /// serves sockets, to as many bodies at a time as there are of those.)
    async fn make_room(&mut self, more: usize) -> Result<(), ApiError> {
        let (length, capacity) = (self.bytes.len(), self.bytes.capacity());
        if length + more <= capacity {
            return Ok(());
        }
        let wanted = (length + more).max(self.most.min((2 * capacity).max(FIRST)));
        if wanted > COVERED {
            let arrival = Arc::clone(&self.arrival);
            let room = arrival.wait_for_room(self.reserve(wanted as u64)).await;
            room.ok_or(DecodeError::Busy)?.map_err(DecodeError::from)?;
        }
        self.bytes.reserve_exact(wanted - length);
        Ok(())
    }

    async fn reserve(&mut self, wanted: u64) -> Result<(), Exhausted> {
        let small = SMALL.min(self.memory.small.budget().limit());
        match &mut self.room {
            Some(room) if wanted <= small || room.amount() > small => {
                room.grow(wanted.saturating_sub(room.amount()), PATIENCE).await
            }
            room => {
                let memory = if wanted <= small { &self.memory.small } else { &self.memory.large };
                *room = Some(memory.reserve(&self.arrival, wanted, PATIENCE).await?);
                Ok(())
            }
        }
    }
}

//! Bodies of requests: received within bounds of memory and time, and read beside the threads that serve sockets.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::ApiError;
use crate::budget::{Allowance, Budget, Reservation, freed};
use crate::config::Settings;
use crate::ingest::DecodeError;

/// Bodies up to this size have memory of their own, so that large ones that stall cannot keep them out.
const SMALL: usize = 64 << 10;
/// The least that is allocated for a body.
const FIRST: usize = 4 << 10;
/// What a slow body has to bring, once it has had twice the time in which it may stand still.
const BYTES_PER_SECOND: u64 = 1 << 10;
/// How long a body waits for memory while it arrives, and while it is read.
const PATIENCE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(5)];
/// How long a body waits to be read.
const TURN: Duration = Duration::from_secs(10);
/// Bodies that are read at one time, beyond one for each CPU.
const MORE_READERS: usize = 2;

/// The memory that all bodies share, and how they are received. Clones share it.
#[derive(Clone)]
pub struct Bodies {
    shared: Arc<Shared>,
}

struct Shared {
    /// For bodies as they arrive.
    arriving: Budget,
    /// For small ones.
    small: Budget,
    /// For what they unfold to.
    unfolding: Budget,
    limit: usize,
    timeout: Duration,
    readers: Arc<Semaphore>,
}

/// A body in memory, which is counted as long as this is.
pub struct Received {
    /// The body.
    pub bytes: Bytes,
    _held: Reservation,
}

impl Bodies {
    /// Divides the memory for bodies: half of it for bodies as they arrive, a sixteenth for small ones, and the rest for
    /// what they unfold to. Apart from each other, uploads that never end cannot stop those that have from being read.
    pub fn new(settings: &Settings) -> Self {
        let memory = settings.ingest_memory();
        let small = memory / 16;
        let arriving = settings.largest_arriving();
        let name = "the memory for bodies";
        let readers = std::thread::available_parallelism().map_or(2, usize::from) + MORE_READERS;
        let shared = Shared {
            arriving: Budget::new(name, arriving),
            small: Budget::new(name, small),
            unfolding: Budget::new(name, memory.saturating_sub(arriving + small)),
            limit: settings.max_body_bytes(),
            timeout: settings.server.upload_timeout,
            readers: Arc::new(Semaphore::new(readers)),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Largest body, in bytes after decompression.
    pub fn limit(&self) -> usize {
        self.shared.limit
    }

    /// The whole body, of at most `limit` bytes.
    ///
    /// One that announces more is refused before it is sent. One that stands still, or hardly moves, is given up: what it
    /// holds is not there for others.
    pub async fn receive(&self, mut body: Body, headers: &HeaderMap, limit: usize) -> Result<Received, ApiError> {
        let limit = limit.min(self.shared.limit);
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|announced| announced > limit) {
            return Err(ApiError::BodyTooLarge(limit));
        }
        let most = announced.unwrap_or(limit);
        let started = Instant::now();
        let mut bytes = Vec::new();
        let mut held = self.shared.small.empty();
        loop {
            let Ok(frame) = timeout_at(self.deadline(started, bytes.len()), body.frame()).await else {
                return Err(ApiError::UploadStalled(self.shared.timeout.as_secs_f64()));
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| ApiError::BrokenBody(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > limit {
                return Err(ApiError::BodyTooLarge(limit));
            }
            self.make_room(&mut bytes, data.len(), most, &mut held).await?;
            bytes.extend_from_slice(&data);
        }
        Ok(Received { bytes: bytes.into(), _held: held })
    }

    /// When the next piece has to be here.
    fn deadline(&self, started: Instant, received: usize) -> Instant {
        let timeout = self.shared.timeout;
        let in_all = started + 2 * timeout + Duration::from_secs(received as u64 / BYTES_PER_SECOND);
        in_all.min(Instant::now() + timeout)
    }

    /// Room for `more`, up to twice what there was. (While it is moved it is there twice; that happens on a thread that
    /// serves sockets, to as many bodies at a time as there are of those.)
    async fn make_room(
        &self,
        bytes: &mut Vec<u8>,
        more: usize,
        most: usize,
        held: &mut Reservation,
    ) -> Result<(), ApiError> {
        let (length, capacity) = (bytes.len(), bytes.capacity());
        if length + more <= capacity {
            return Ok(());
        }
        let wanted = (length + more).max(most.min((2 * capacity).max(FIRST)));
        let missing = (wanted as u64).saturating_sub(held.amount());
        let [patience, _] = PATIENCE;
        if capacity > SMALL {
            held.grow(missing, patience).await.map_err(DecodeError::from)?;
        } else if wanted > SMALL || held.try_grow(missing).is_err() {
            // No small one any more, or there is no room among the small ones.
            *held = self.shared.arriving.reserve(wanted as u64, patience).await.map_err(DecodeError::from)?;
        }
        bytes.reserve_exact(wanted - length);
        Ok(())
    }

    /// Does work on bodies that may take long or unfold to much, beside the threads that serve sockets. What it
    /// allocates is to be counted on the allowance that it is given, which it may hand back together with what it made.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(Allowance) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = timeout(TURN, Arc::clone(&self.shared.readers).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(DecodeError::Busy.into()) };
        let unfolding = self.shared.unfolding.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let [_, patience] = PATIENCE;
            let result = work(Allowance::of(&unfolding, Some(patience)));
            // Also if nobody waits for the result any more, the next one begins when this one has ended.
            drop(turn);
            freed::give_back_near_limit();
            result
        });
        reading.await.map_err(|error| ApiError::Failed(format!("reading a body stopped: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(ingest_memory: u64, upload_timeout: Duration) -> Bodies {
        let mut settings = Settings::default();
        settings.server.ingest_memory_bytes = Some(ingest_memory);
        settings.server.upload_timeout = upload_timeout;
        Bodies::new(&settings)
    }

    /// A body of `size` bytes that never ends.
    fn stalled(size: usize) -> Body {
        let first = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b' '; size]))]);
        Body::from_stream(futures::StreamExt::chain(first, futures::stream::pending()))
    }

    async fn receive(bodies: &Bodies, body: Body) -> Result<usize, ApiError> {
        let received = bodies.receive(body, &HeaderMap::new(), usize::MAX).await?;
        Ok(received.bytes.len())
    }

    #[tokio::test]
    async fn a_body_that_stands_still_gives_its_room_back() {
        let bodies = bodies(32 << 20, Duration::from_millis(500));
        let stalling = receive(&bodies, stalled(10 << 20));
        // It waits for the first one's room, and a small one does not.
        let waiting = receive(&bodies, Body::from(vec![b' '; 8 << 20]));
        let small = receive(&bodies, Body::from(vec![b' '; 1_000]));
        let (given_up, waited, small) = tokio::join!(stalling, waiting, small);
        assert!(matches!(given_up, Err(ApiError::UploadStalled(_))), "{given_up:?}");
        assert_eq!((waited.unwrap(), small.unwrap()), (8 << 20, 1_000));
    }

    #[tokio::test]
    async fn a_body_that_trickles_is_given_up_as_well() {
        let bodies = bodies(32 << 20, Duration::from_millis(100));
        let trickle = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
        });
        let given_up = receive(&bodies, Body::from_stream(trickle)).await.unwrap_err();
        assert!(matches!(given_up, ApiError::UploadStalled(_)), "{given_up:?}");
    }

    #[tokio::test]
    async fn a_body_that_never_fits_is_told_so() {
        let bodies = bodies(32 << 20, Duration::from_secs(30));
        let refused = receive(&bodies, Body::from(vec![b' '; (16 << 20) + 1])).await.unwrap_err();
        assert!(matches!(refused, ApiError::BodyTooLarge(_)), "{refused:?}");
    }
}

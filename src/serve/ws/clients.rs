//! Who listens, how many may, and their figures.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use uuid::Uuid;

use super::publisher::{Frames, Latest};
use super::subscription::Subscription;

/// A frame older than this means that the clock has stopped.
const STALE: Duration = Duration::from_secs(1);

/// Everybody who is connected, and the newest frame for them.
pub struct Clients {
    max: usize,
    seats: Arc<Semaphore>,
    latest: watch::Sender<Latest>,
    connected: Mutex<BTreeMap<u64, Arc<Client>>>,
    total_connections: AtomicU64,
    messages_sent: AtomicU64,
    errors: AtomicU64,
}

/// One connected client's account of itself.
pub(super) struct Client {
    pub(super) id: Uuid,
    since: Instant,
    messages: AtomicU64,
    errors: AtomicU64,
    subscription: AtomicU8,
    delivered: AtomicU64,
}

/// A client's place among the others; it is free again when this is dropped.
pub(super) struct Seat {
    number: u64,
    client: Arc<Client>,
    clients: Arc<Clients>,
    _permit: OwnedSemaphorePermit,
}

impl Clients {
    /// Room for `max` clients at one time.
    pub fn new(max: usize) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        Self {
            max,
            seats: Arc::new(Semaphore::new(max)),
            latest: watch::Sender::new(Latest::Nothing),
            connected: Mutex::default(),
            total_connections: AtomicU64::new(0),
            messages_sent: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        }
    }

    /// How many may be connected.
    pub fn limit(&self) -> usize {
        self.max
    }

    /// How many are connected.
    pub fn count(&self) -> usize {
        self.max.saturating_sub(self.seats.available_permits())
    }

    /// Messages sent to all clients so far.
    pub fn messages_sent(&self) -> u64 {
        self.messages_sent.load(Ordering::Relaxed)
    }

    /// Waits until everybody has left, at most `patience`. For the end of the server, when the clock has stopped and
    /// every client is being sent away.
    pub async fn left(&self, patience: Duration) {
        let all = u32::try_from(self.max).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(patience, self.seats.acquire_many(all)).await;
    }

    /// The figures of the system pages.
    pub fn statistics(&self) -> ClientsStatistics {
        let clients: Vec<Arc<Client>> = self.connected().values().cloned().collect();
        let (sequence, alive) = match &*self.latest.borrow() {
            Latest::Frame(frame) => (frame.sequence, frame.made.elapsed() < STALE),
            Latest::Nothing | Latest::Stopped => (0, false),
        };
        ClientsStatistics {
            status: if alive { "healthy" } else { "stopped" },
            connections: clients.len(),
            stats: ConnectionStatistics {
                current_connections: clients.len(),
                max_connections: self.max,
                total_connections: self.total_connections.load(Ordering::Relaxed),
                total_messages_sent: self.messages_sent(),
                total_errors: self.errors.load(Ordering::Relaxed),
                queue_size: clients.iter().filter(|client| client.delivered.load(Ordering::Relaxed) < sequence).count(),
                connections: clients.iter().map(|client| client.statistics()).collect(),
            },
        }
    }

    /// A place for one more client, or `None` when all are taken or the server shuts down.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Seat> {
        let permit = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        let delivered = match &*self.latest.borrow() {
            Latest::Stopped => return None,
            Latest::Nothing => 0,
            Latest::Frame(frame) => frame.sequence,
        };
        let number = self.total_connections.fetch_add(1, Ordering::Relaxed);
        let client = Arc::new(Client {
            id: Uuid::new_v4(),
            since: Instant::now(),
            messages: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            subscription: AtomicU8::new(Subscription::ALL.index()),
            delivered: AtomicU64::new(delivered),
        });
        self.connected().insert(number, Arc::clone(&client));
        Some(Seat { number, client, clients: Arc::clone(self), _permit: permit })
    }

    /// Lays out what clients find next.
    pub(super) fn publish(&self, latest: Latest) {
        self.latest.send_replace(latest);
    }

    fn connected(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Client>>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The client's random id.
    pub(super) fn id(&self) -> Uuid {
        self.client.id
    }

    /// Frames from here on.
    pub(super) fn frames(&self) -> Frames {
        self.clients.latest.subscribe()
    }

    /// Which sections the client gets.
    pub(super) fn subscription(&self) -> Subscription {
        Subscription::from_index(self.client.subscription.load(Ordering::Relaxed))
    }

    /// Changes which sections the client gets.
    pub(super) fn subscribe(&self, subscription: Subscription) {
        self.client.subscription.store(subscription.index(), Ordering::Relaxed);
    }

    /// Counts a message that was sent.
    pub(super) fn sent(&self) {
        self.client.messages.fetch_add(1, Ordering::Relaxed);
        self.clients.messages_sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the frame of this number was sent. Frames between it and the one before it were missed: each of
    /// them is an error, because the client was too slow for it.
    pub(super) fn delivered(&self, sequence: u64) {
        let before = self.client.delivered.swap(sequence, Ordering::Relaxed);
        let missed = sequence.saturating_sub(before).saturating_sub(1);
        if missed > 0 {
            self.failed(missed);
        }
    }

    /// Counts messages that could not be sent.
    pub(super) fn failed(&self, messages: u64) {
        self.client.errors.fetch_add(messages, Ordering::Relaxed);
        self.clients.errors.fetch_add(messages, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.clients.connected().remove(&self.number);
    }
}

impl Client {
    fn statistics(&self) -> ClientStatistics {
        ClientStatistics {
            client_id: self.id.to_string(),
            uptime: self.since.elapsed().as_secs_f64(),
            message_count: self.messages.load(Ordering::Relaxed),
            error_count: self.errors.load(Ordering::Relaxed),
            subscriptions: Subscription::from_index(self.subscription.load(Ordering::Relaxed)).names(),
        }
    }
}

/// The `websocket` component of `/api/system/components`.
#[derive(Debug, Clone, Serialize)]
pub struct ClientsStatistics {
    /// `healthy` while frames are made, else `stopped`.
    pub status: &'static str,
    /// Clients connected now.
    pub connections: usize,
    /// The figures behind it.
    pub stats: ConnectionStatistics,
}

/// Figures of all clients; counters run since the start of the server.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionStatistics {
    /// Clients connected now.
    pub current_connections: usize,
    /// Clients that may be connected at one time.
    pub max_connections: usize,
    /// Clients that ever were.
    pub total_connections: u64,
    /// Text messages sent.
    pub total_messages_sent: u64,
    /// Text messages that could not be sent: the client was too slow, or its connection broke.
    pub total_errors: u64,
    /// Clients that the newest frame has not reached yet.
    pub queue_size: usize,
    /// One entry a client, oldest first.
    pub connections: Vec<ClientStatistics>,
}

/// Figures of one client.
#[derive(Debug, Clone, Serialize)]
pub struct ClientStatistics {
    /// The id that its first message told it.
    pub client_id: String,
    /// Seconds since it connected.
    pub uptime: f64,
    /// Text messages sent to it.
    pub message_count: u64,
    /// Text messages that could not be sent to it.
    pub error_count: u64,
    /// The sections it asked for, or `all`.
    pub subscriptions: Vec<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_taken_and_given_back() {
        let clients = Arc::new(Clients::new(1));
        let seat = clients.admit().unwrap();
        assert_eq!(clients.count(), 1);
        assert!(clients.admit().is_none());
        drop(seat);
        assert_eq!(clients.count(), 0);
        assert!(clients.admit().is_some());
        assert_eq!(clients.statistics().stats.total_connections, 2);
    }

    #[test]
    fn nobody_is_admitted_after_the_end() {
        let clients = Arc::new(Clients::new(1));
        clients.publish(Latest::Stopped);
        assert!(clients.admit().is_none());
    }

    #[test]
    fn frames_that_a_slow_client_missed_are_its_errors() {
        let clients = Arc::new(Clients::new(1));
        let seat = clients.admit().unwrap();
        seat.delivered(1);
        seat.delivered(4);
        let statistics = clients.statistics();
        assert_eq!(statistics.stats.total_errors, 2);
        assert_eq!(statistics.stats.connections[0].error_count, 2);
    }

    #[test]
    fn statistics_name_the_subscription() {
        let clients = Arc::new(Clients::new(1));
        let seat = clients.admit().unwrap();
        assert_eq!(clients.statistics().stats.connections[0].subscriptions, ["all"]);
        seat.subscribe(seat.subscription().after("subscribe:system"));
        assert_eq!(clients.statistics().stats.connections[0].subscriptions, ["system"]);
    }

    #[tokio::test]
    async fn leaving_is_awaited() {
        let clients = Arc::new(Clients::new(3));
        let seat = clients.admit().unwrap();
        let waiting = tokio::spawn({
            let clients = Arc::clone(&clients);
            async move { clients.left(Duration::from_secs(60)).await }
        });
        drop(seat);
        waiting.await.unwrap();
        assert_eq!(clients.count(), 0);
    }
}

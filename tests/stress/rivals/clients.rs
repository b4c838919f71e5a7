//! Who writes, one body after the other, and takes down when it was sent and answered.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::serial::Write;
use super::table::{DAYS, KEYS, TABLES};
use crate::common::{Server, ipc};

/// Rows of a write that is stored beside others.
const MANY: Range<usize> = 50_001..60_000;
const FEW: Range<usize> = 1..400;
/// Writes that a client makes in a round at the most.
const LARGE_WRITES: usize = 2;
const SMALL_WRITES: usize = 200;

/// What all clients share.
pub struct Shared {
    /// When the first day begins.
    pub first: i64,
    pub clock: AtomicU64,
    pub number: AtomicU32,
    /// How far new rows of each table are, behind the first two days.
    pub fronts: [AtomicUsize; 2],
    /// Whether large writes are.
    pub are_done: AtomicBool,
}

impl Shared {
    pub fn new(first: i64) -> Self {
        let fronts = [AtomicUsize::new(0), AtomicUsize::new(0)];
        Self { first, clock: AtomicU64::new(0), number: AtomicU32::new(1), fronts, are_done: AtomicBool::new(true) }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

pub struct Client {
    client: reqwest::Client,
    url: String,
    shared: Arc<Shared>,
    random: ChaCha8Rng,
    /// For each table.
    pub written: [Vec<Write>; 2],
}

impl Client {
    pub fn new(server: &Server, shared: &Arc<Shared>, seed: u64) -> Self {
        Self {
            client: server.client.clone(),
            url: server.url(""),
            shared: shared.clone(),
            random: ChaCha8Rng::seed_from_u64(seed),
            written: [Vec::new(), Vec::new()],
        }
    }

    /// Writes some rows of a table; false when nobody answers.
    async fn write(&mut self, rows: Range<usize>) -> bool {
        let place = self.random.random_range(0..TABLES.len());
        let count = self.random.random_range(rows);
        let day = self.random.random_range(0..DAYS);
        let begin = if day == DAYS - 1 {
            // Half of them are new, and half perhaps somebody else's.
            let front = self.shared.fronts[place].fetch_add(count / 2, Ordering::SeqCst) % KEYS;
            day * KEYS + front.min(KEYS - count)
        } else {
            day * KEYS + self.random.random_range(0..KEYS - count)
        };
        self.write_keys(place, begin..begin + count).await
    }

    async fn write_keys(&mut self, place: usize, keys: Range<usize>) -> bool {
        let (table, number) = (TABLES[place], self.shared.number.fetch_add(1, Ordering::SeqCst));
        let body = table.body(self.shared.first, keys.clone(), number);
        let request = self.client.post(format!("{}/api/ingest/{}", self.url, table.name()));
        let sent = self.shared.tick();
        let answer = request.header("content-type", ipc::MEDIA_TYPE).body(body).send().await;
        let answered = match &answer {
            Ok(answer) if answer.status() == 200 => Some(self.shared.tick()),
            Ok(answer) if [429, 503].contains(&answer.status().as_u16()) => return true,
            Ok(answer) => panic!("{}", answer.status()),
            Err(_) => None,
        };
        self.written[place].push(Write { number, keys, sent, answered });
        answered.is_some()
    }

    pub async fn write_many(mut self) -> Self {
        for _ in 0..LARGE_WRITES {
            if !self.write(MANY).await {
                break;
            }
        }
        self
    }

    pub async fn write_few(mut self) -> Self {
        for _ in 0..SMALL_WRITES {
            if self.shared.are_done.load(Ordering::SeqCst) || !self.write(FEW).await {
                break;
            }
        }
        self
    }
}

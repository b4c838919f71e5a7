//! Who pushes rows, and who gives orders, until the program is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reqwest::Client;
use tokio::task::JoinHandle;

use crate::common::{Server, ipc};
use crate::promises::{Ledger, Promises};
use crate::rows::{Calendar, Row};

/// Clients that push at the same time.
pub const CLIENTS: i64 = 4;
/// Rows of one body at the most.
const ROWS: usize = 30;

/// Orders that are being carried out.
#[derive(Default)]
pub struct Orders {
    pub archive: AtomicBool,
    pub retention: AtomicBool,
    pub backup: AtomicBool,
}

impl Orders {
    fn of(&self, what: &str) -> &AtomicBool {
        match what {
            "archive" => &self.archive,
            "retention" => &self.retention,
            _ => &self.backup,
        }
    }
}

/// Everybody at work.
pub struct Clients {
    pushing: Vec<JoinHandle<Promises>>,
    ordering: Vec<JoinHandle<()>>,
    pub orders: Arc<Orders>,
}

impl Clients {
    pub fn start(server: &Server, calendar: &Arc<Calendar>, promises: Vec<Promises>, round: u64) -> Self {
        let (url, orders) = (server.url(""), Arc::new(Orders::default()));
        let pushing = promises.into_iter().zip(0..).map(|(promises, number)| {
            let random = ChaCha8Rng::seed_from_u64(round << 8 | number as u64);
            let pushing =
                Pushing { client: server.client.clone(), url: url.clone(), calendar: calendar.clone(), random, number };
            tokio::spawn(pushing.run(promises))
        });
        let pushing = pushing.collect();
        // One order after the other, or some beside each other: a backup holds the files of the archive.
        let lists: &[&[&str]] = match round.is_multiple_of(2) {
            true => &[&["archive", "retention", "archive", "backup?keep=2"]],
            false => &[&["archive", "archive", "retention"], &["backup?keep=2"]],
        };
        let ordering = lists.iter().map(|what| {
            let (client, url, token, orders) = (server.client.clone(), url.clone(), token(server), orders.clone());
            let what: Vec<_> = what.iter().map(|what| (*what).to_owned()).collect();
            tokio::spawn(async move {
                for what in what.iter().cycle() {
                    let flag = orders.of(what.split('?').next().unwrap());
                    flag.store(true, Ordering::SeqCst);
                    let done = order(&client, &url, &token, what).await;
                    // What was under way when the program was killed stays marked.
                    if done.is_none() {
                        return;
                    }
                    flag.store(false, Ordering::SeqCst);
                }
            })
        });
        let ordering = ordering.collect();
        Self { pushing, ordering, orders }
    }

    /// What everybody knows when the program is gone.
    pub async fn end(self) -> Vec<Promises> {
        for ordering in self.ordering {
            ordering.await.unwrap();
        }
        let mut promises = Vec::new();
        for pushing in self.pushing {
            promises.push(pushing.await.unwrap());
        }
        promises
    }
}

struct Pushing {
    client: Client,
    url: String,
    calendar: Arc<Calendar>,
    random: ChaCha8Rng,
    number: i64,
}

impl Pushing {
    async fn run(mut self, mut promises: Promises) -> Promises {
        loop {
            let Promises { quotes, strategies, machines, trades, .. } = &mut promises;
            let answered = match self.random.random_range(0..4) {
                0 => self.push(quotes).await,
                1 => self.push(strategies).await,
                2 => self.push(machines).await,
                _ => self.push(trades).await,
            };
            match answered {
                Some(acknowledged) => promises.acknowledged += u64::from(acknowledged),
                None => return promises,
            }
        }
    }

    /// Pushes one body; `None` when nobody answers any more, else whether it was acknowledged.
    async fn push<R: Row>(&mut self, ledger: &mut Ledger<R>) -> Option<bool> {
        let count = self.random.random_range(1..=ROWS);
        let rows: Vec<R> = (0..count).map(|_| R::random(&mut self.random, &self.calendar, self.number)).collect();
        let body = ipc::write(&[R::batch_of(&rows)]);
        let request = self.client.post(format!("{}/api/ingest/{}", self.url, R::TABLE.name));
        match request.header("content-type", ipc::MEDIA_TYPE).body(body).send().await {
            Ok(answer) if answer.status() == 200 => {
                ledger.acknowledge(rows);
                Some(true)
            }
            Ok(answer) if [429, 503].contains(&answer.status().as_u16()) => Some(false),
            Ok(answer) => panic!("{}", answer.status()),
            Err(_) => {
                ledger.lose_sight(rows);
                None
            }
        }
    }
}

/// What the operator of a server shows.
pub fn token(server: &Server) -> String {
    let lock = std::fs::read(server.path().join("data/observability.duckdb.lock")).unwrap();
    let lock: serde_json::Value = serde_json::from_slice(&lock).unwrap();
    lock["token"].as_str().unwrap().to_owned()
}

/// Has the operator's order carried out; `None` when the program ended before.
pub async fn order(client: &Client, url: &str, token: &str, what: &str) -> Option<()> {
    let answer = client.post(format!("{url}/api/operator/{what}")).bearer_auth(token).send().await.ok()?;
    let status = answer.status();
    let text = answer.text().await.ok()?;
    assert_eq!(status, 200, "{what}: {text}");
    if what.starts_with("backup") {
        // A whole answer ends with what was taken.
        let last = text.lines().last().unwrap_or_default();
        assert!(last.contains(r#""backup":"#), "{what}: {last}");
    }
    Some(())
}

//! Which batches the server has acknowledged, and whether it has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::sync::{Mutex, MutexGuard};

use crate::common::Server;
use crate::work::BATCH_ROWS;

/// What became of each batch that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its rows must be there.
    Acknowledged,
    /// None of its rows may be there.
    Refused,
    /// The connection ended before the answer: all of its rows or none.
    Unknown,
}

/// The outcome of every batch by its number.
#[derive(Default)]
pub struct Ledger {
    outcomes: Mutex<BTreeMap<i64, Outcome>>,
}

impl Ledger {
    /// Takes note of what became of a batch.
    pub fn record(&self, batch: i64, outcome: Outcome) {
        self.outcomes().insert(batch, outcome);
    }

    /// How many batches were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.count(Outcome::Acknowledged)
    }

    fn count(&self, wanted: Outcome) -> usize {
        self.outcomes().values().filter(|outcome| **outcome == wanted).count()
    }

    fn outcomes(&self) -> MutexGuard<'_, BTreeMap<i64, Outcome>> {
        self.outcomes.lock().unwrap()
    }

    /// Every acknowledged batch is whole, no refused one is there, and no row is there twice.
    pub async fn check(&self, server: &Server) {
        let rows = server
            .sql(
                "SELECT volume, count(*) AS rows, sum(trades) AS numbers, sum(bid) AS squares, max(trades) AS last \
                 FROM market_data WHERE volume >= 0 GROUP BY volume",
            )
            .await;
        let whole = BATCH_ROWS as i64;
        let numbers: i64 = (0..whole).sum();
        // Beside their sum, so that a row that is there in the place of another is seen.
        let squares: i64 = (0..whole).map(|row| row * row).sum();
        let mut found = BTreeSet::new();
        for row in rows {
            let figure = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{name} of {row}")) as i64;
            let batch = figure("volume");
            let stored = ["rows", "numbers", "squares", "last"].map(figure);
            assert_eq!(stored, [whole, numbers, squares, whole - 1], "batch {batch} is not what was sent");
            found.insert(batch);
        }
        for (batch, outcome) in self.outcomes().iter() {
            match outcome {
                Outcome::Acknowledged => assert!(found.contains(batch), "batch {batch} was acknowledged and is lost"),
                Outcome::Refused => assert!(!found.contains(batch), "batch {batch} was refused and is there"),
                Outcome::Unknown => {}
            }
        }
        assert!(found.iter().all(|batch| self.outcomes().contains_key(batch)), "rows are there that nobody sent");
    }
}

impl Display for Ledger {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let [acknowledged, refused, unknown] =
            [Outcome::Acknowledged, Outcome::Refused, Outcome::Unknown].map(|outcome| self.count(outcome));
        write!(
            formatter,
            "batches of {BATCH_ROWS} rows: {acknowledged} acknowledged, {refused} refused, {unknown} unknown"
        )
    }
}

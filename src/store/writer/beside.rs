//! A large write that is stored on a thread and a connection of its own, in one transaction, while small ones are committed.
//!
//! The two transactions are not in each other's way where they share no key: rows above a watermark cannot be stored yet, and
//! the watermarks know the rows of the large write as soon as it begins; of other rows, those are held up that have one of
//! its keys. Nothing else may happen meanwhile that looks at all rows of a table: no step of a rollup begins, no checkpoint,
//! and no task. It is begun and committed by the writer's thread, which alone changes what is told of the database.

use std::cell::OnceCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::{StringArray, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use duckdb::Connection;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::batch::Write;
use crate::budget::freed;
use crate::store::rollup::Past;
use crate::store::table_writer::{Part, Replacing, TableWriteError};
use crate::tables::{TIME_COLUMN, Table, column};

/// Where a large write is stored, one at a time.
#[derive(Default)]
pub struct Beside {
    running: Option<Running>,
}

/// A large write that is being stored.
struct Running {
    large: Large,
    /// Its keys, once there is a write that may share some.
    keys: OnceCell<Option<Keys>>,
    stored: oneshot::Receiver<Stored>,
}

/// A large write.
pub struct Large {
    /// Its rows, and who waits for them.
    pub write: Write,
    /// What it makes stale, for each table.
    pub pasts: Vec<Past>,
    /// When its transaction began.
    pub began: Instant,
}

/// What has become of its rows. The transaction is still open.
pub struct Stored {
    /// The connection of the transaction.
    pub connection: Connection,
    /// Whether all rows are in it.
    pub outcome: Result<(), TableWriteError>,
}

impl Beside {
    /// Whether a write is being stored here.
    pub fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    /// Whether a write has a key of the one that is being stored.
    pub fn is_in_the_way_of(&self, write: &Write) -> bool {
        let of_table = self.running.as_ref().filter(|running| std::ptr::eq(running.large.write.table, write.table));
        of_table.is_some_and(|running| {
            let large = &running.large.write;
            let keys = running.keys.get_or_init(|| Keys::of(large.table, &large.batches).ok());
            // Rows that cannot be read have no place beside others.
            keys.as_ref().and_then(|keys| keys.any_of(&write.batches).ok()).unwrap_or(true)
        })
    }

    /// Begins to store the parts of a write in the transaction that is open on `connection`. There must be none yet. Gives the
    /// write back where it cannot be stored here.
    pub fn begin(
        &mut self,
        connection: Connection,
        large: Large,
        parts: Vec<Part>,
        replacing: Replacing,
    ) -> Result<(), Write> {
        let (answer, stored) = oneshot::channel();
        let store = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                // Each part is freed as soon as it is stored.
                parts.into_iter().try_for_each(|part| replacing.store(&connection, &part))
            }));
            let outcome = outcome.unwrap_or_else(|panic| Err(TableWriteError::panicked(panic.as_ref())));
            freed::give_back();
            // Nobody waits for it any more where the writer has ended, and with the connection goes the transaction.
            let _ = answer.send(Stored { connection, outcome });
        };
        match std::thread::Builder::new().name("large write".into()).spawn(store) {
            Ok(_) => {
                self.running = Some(Running { large, keys: OnceCell::new(), stored });
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "no thread for a large write: others wait for it");
                Err(large.write)
            }
        }
    }

    /// The write, when it is stored or cannot be; waits for ever where there is none.
    pub async fn stored(&mut self) -> (Large, Option<Stored>) {
        let stored = match &mut self.running {
            Some(running) => (&mut running.stored).await.ok(),
            None => None,
        };
        match self.running.take() {
            Some(running) => (running.large, stored),
            None => std::future::pending().await,
        }
    }
}

/// The keys of a write, whose table has one of the time and perhaps a label. Two of them may look alike, which costs some
/// waiting and nothing else.
struct Keys {
    label: Option<&'static str>,
    sorted: Vec<u64>,
}

impl Keys {
    fn of(table: &Table, batches: &[RecordBatch]) -> Result<Self, ArrowError> {
        let label = table.label.filter(|label| table.key.contains(label));
        let mut sorted = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
        for batch in batches {
            sorted.extend(hashes(batch, label)?);
        }
        sorted.sort_unstable();
        Ok(Self { label, sorted })
    }

    fn any_of(&self, batches: &[RecordBatch]) -> Result<bool, ArrowError> {
        for batch in batches {
            if hashes(batch, self.label)?.any(|hash| self.sorted.binary_search(&hash).is_ok()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn hashes<'a>(batch: &'a RecordBatch, label: Option<&str>) -> Result<impl Iterator<Item = u64> + use<'a>, ArrowError> {
    let times = column::<TimestampMicrosecondArray>(batch, TIME_COLUMN)?;
    let labels = label.map(|label| column::<StringArray>(batch, label)).transpose()?;
    Ok(times.values().iter().enumerate().map(move |(row, time)| {
        let mut hasher = DefaultHasher::new();
        (time, labels.map(|labels| labels.value(row))).hash(&mut hasher);
        hasher.finish()
    }))
}

//! How much is stored where, for whoever watches the server: measured when somebody asks, and not too often.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::job::failed;
use super::reader::Reader;
use super::rollup::{LEVELS, Level};
use super::snapshot::Snapshot;
use crate::batch::ReadError;
use crate::tables::{TABLES, Table};

/// What was measured is good for this long.
const FRESH: Duration = Duration::from_secs(5);
/// The blocks of a table are counted this seldom: the engine lists every one of them.
const BLOCKS_FRESH: Duration = Duration::from_secs(60);
/// What is older than this is not told any more.
const STALE: Duration = Duration::from_secs(300);

/// Where rows of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// In the database.
    Hot,
    /// In the files of the archive.
    Archive,
    /// Buckets of rows.
    Rollup(Level),
}

impl Tier {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Archive => "archive",
            Self::Rollup(Level::Minute1) => "rollup_1m",
            Self::Rollup(Level::Minute5) => "rollup_5m",
            Self::Rollup(Level::Hour1) => "rollup_1h",
        }
    }
}

/// What a table has in one tier.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    /// The table.
    pub table: &'static Table,
    /// The tier.
    pub tier: Tier,
    /// Its rows, or buckets. Deleted ones count until a checkpoint clears them.
    pub rows: u64,
    /// Its bytes on disk, once they have been counted.
    pub bytes: Option<u64>,
}

/// What was measured last.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Every table and tier.
    pub amounts: Vec<Amount>,
    /// Bytes of memory that the engine uses for buffers and questions.
    pub memory_bytes: u64,
    /// Bytes that it has put aside on disk for want of memory.
    pub spilled_bytes: u64,
}

/// Measures what is stored. Clones share what they know.
#[derive(Clone)]
pub struct Contents {
    reader: Reader,
    known: Arc<watch::Sender<Known>>,
    measuring: Arc<Mutex<()>>,
}

#[derive(Default)]
struct Known {
    measured: Option<(Instant, Measured)>,
    blocks_counted: Option<Instant>,
}

impl Contents {
    /// Measures through `reader`.
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, known: Arc::default(), measuring: Arc::default() }
    }

    /// What is stored, no older than some seconds if the database answers within `patience`, else what is known; `None`
    /// when that is too old.
    pub async fn measured(&self, patience: Duration) -> Option<Measured> {
        let mut known = self.known.subscribe();
        if self.known(FRESH).is_none() {
            if let Ok(alone) = self.measuring.clone().try_lock_owned() {
                tokio::spawn(self.clone().measure(alone));
            }
            // What is not there in time is there for the next one.
            let _ = tokio::time::timeout(patience, known.changed()).await;
        }
        self.known(STALE)
    }

    fn known(&self, age: Duration) -> Option<Measured> {
        let known = self.known.borrow();
        known.measured.as_ref().filter(|(at, _)| at.elapsed() < age).map(|(_, measured)| measured.clone())
    }

    async fn measure(self, _alone: OwnedMutexGuard<()>) {
        if let Err(error) = self.try_measure().await {
            tracing::debug!(%error, "what is stored could not be measured");
        }
    }

    async fn try_measure(&self) -> Result<(), ReadError> {
        let mut measured = self.reader.look(|snapshot| snapshot.measure()).await?;
        let before = self.known(STALE).map(|known| known.amounts).unwrap_or_default();
        for amount in measured.amounts.iter_mut().filter(|amount| amount.bytes.is_none()) {
            let same = |known: &&Amount| std::ptr::eq(known.table, amount.table) && known.tier == amount.tier;
            amount.bytes = before.iter().find(same).and_then(|known| known.bytes);
        }
        self.known.send_modify(|known| known.measured = Some((Instant::now(), measured.clone())));

        if self.known.borrow().blocks_counted.is_some_and(|at| at.elapsed() < BLOCKS_FRESH) {
            return Ok(());
        }
        let measured = self.reader.look(move |snapshot| snapshot.count_blocks(measured)).await?;
        self.known.send_modify(|known| {
            known.blocks_counted = Some(Instant::now());
            known.measured = Some((Instant::now(), measured));
        });
        Ok(())
    }
}

impl Snapshot<'_> {
    /// Counts rows from what the engine knows of its tables, without reading any.
    fn measure(&self) -> Result<Measured, ReadError> {
        let stored = self.triples::<(String, String, i64)>(include_str!("../../queries/metrics/rows.sql"))?;
        let archived = self.triples::<(String, i64, i64)>(include_str!("../../queries/metrics/archived.sql"))?;
        let engine = include_str!("../../queries/metrics/engine.sql");
        let both = |row: &duckdb::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let (memory, spilled) = self.connection.query_row(engine, [], both).map_err(failed)?;
        let mut amounts = Vec::new();
        for table in TABLES {
            for tier in [Tier::Hot].into_iter().chain(LEVELS.map(Tier::Rollup)) {
                let name = name_of(table, tier);
                let is_it = |(schema, stored, _): &&(String, String, i64)| format!("{schema}.{stored}") == name;
                if let Some((.., rows)) = stored.iter().find(is_it) {
                    amounts.push(Amount { table, tier, rows: natural(*rows), bytes: None });
                }
            }
            let archived = archived.iter().find(|(name, ..)| name == table.name);
            let (rows, bytes) = archived.map_or((0, 0), |(_, rows, bytes)| (natural(*rows), natural(*bytes)));
            amounts.push(Amount { table, tier: Tier::Archive, rows, bytes: Some(bytes) });
        }
        Ok(Measured { amounts, memory_bytes: natural(memory), spilled_bytes: natural(spilled) })
    }

    fn count_blocks(&self, mut measured: Measured) -> Result<Measured, ReadError> {
        let blocks = include_str!("../../queries/metrics/blocks.sql");
        for amount in measured.amounts.iter_mut().filter(|amount| amount.tier != Tier::Archive) {
            let blocks = blocks.replace("{table}", &name_of(amount.table, amount.tier));
            let bytes = self.connection.query_row(&blocks, [], |row| row.get::<_, i64>(0)).map_err(failed)?;
            amount.bytes = Some(natural(bytes));
        }
        Ok(measured)
    }

    fn triples<T: Triple>(&self, sql: &str) -> Result<Vec<T>, ReadError> {
        let mut statement = self.connection.prepare(sql).map_err(failed)?;
        let rows = statement.query_map([], T::read).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        rows.map_err(failed)
    }
}

/// A row of three columns.
trait Triple: Sized {
    fn read(row: &duckdb::Row<'_>) -> Result<Self, duckdb::Error>;
}

impl<A, B, C> Triple for (A, B, C)
where
    A: duckdb::types::FromSql,
    B: duckdb::types::FromSql,
    C: duckdb::types::FromSql,
{
    fn read(row: &duckdb::Row<'_>) -> Result<Self, duckdb::Error> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    }
}

/// The table of the database that holds a tier.
fn name_of(table: &Table, tier: Tier) -> String {
    match tier {
        Tier::Rollup(level) => format!("rollup.{}_{}", table.name, level.name()),
        Tier::Hot | Tier::Archive => format!("main.{}", table.name),
    }
}

fn natural(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

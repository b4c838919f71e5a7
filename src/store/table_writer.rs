//! How the rows of one table are stored so that the last write of a key wins.

use arrow::array::StringArray;
use arrow::record_batch::RecordBatch;
use duckdb::Connection;

use super::commit::CommitError;
use super::job::is_want_of_memory;
use super::last_write::{last_of_each_key, parted};
use super::late::LateDays;
use super::rollup::Past;
use super::text::fill;
use super::watermarks::Watermarks;
use crate::archive::key_column;
use crate::tables::{TIME_COLUMN, Table, column};

/// Rows that are held while it is found out which are late; beyond that they are stored in parts.
const PART_ROWS: usize = 500_000;

/// Stores batches of one table inside the writer's transaction.
pub struct TableWriter {
    table: &'static Table,
    key: Vec<usize>,
    /// `None` for a table with a real key.
    watermarks: Option<Watermarks>,
    late_days: LateDays,
    stage: String,
    replace: String,
    /// For a table whose key says nothing of the time: which buckets lose a row.
    replaced: Option<String>,
}

/// Why rows of a batch could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum TableWriteError {
    /// The engine refused.
    #[error("{0}")]
    Engine(#[from] duckdb::Error),
    /// Rows of archived days, of which a roll-up is made, cannot be read.
    #[error("{0}")]
    Read(#[from] crate::batch::ReadError),
    /// There is no space for the rows.
    #[error(transparent)]
    NoSpace(#[from] crate::batch::Shortage),
    /// It was not committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A library panicked.
    #[error("a library panicked: {0}")]
    Panicked(String),
    /// The batch is not of its table's schema.
    #[error("{0}")]
    Batch(#[from] arrow::error::ArrowError),
}

impl TableWriteError {
    /// Whether there was too little memory, and everything was taken back: it may succeed later.
    pub fn is_want_of_memory(&self) -> bool {
        match self {
            Self::Engine(error) => is_want_of_memory(&error.to_string()),
            Self::Commit(error) => matches!(error, CommitError::NoMemory(_)),
            _ => false,
        }
    }

    /// Whether the engine failed inside a commit.
    pub fn is_failed_commit(&self) -> bool {
        matches!(self, Self::Commit(CommitError::Failed(_)))
    }
}

impl TableWriter {
    /// Prepares for a table: reads its watermarks, which may take `watermark_bytes`.
    pub fn new(connection: &Connection, table: &'static Table, watermark_bytes: usize) -> Result<Self, duckdb::Error> {
        let by_time = table.key.contains(&TIME_COLUMN);
        let watermarks = if by_time { Some(Watermarks::load(connection, table, watermark_bytes)?) } else { None };
        let replace = if by_time {
            include_str!("../../queries/write/replace.sql")
        } else {
            include_str!("../../queries/write/upsert.sql")
        };
        let replaced = (!by_time).then(|| {
            let sql = include_str!("../../queries/rollup/replaced.sql").replace("{keys}", &table.key.join(", "));
            fill(&sql, table).replace("{label}", table.label.unwrap_or("''"))
        });
        Ok(Self {
            table,
            replaced,
            key: table.key.iter().filter_map(|column| table.position(column)).collect(),
            watermarks,
            late_days: LateDays::default(),
            stage: fill(include_str!("../../queries/write/stage.sql"), table),
            replace: fill(replace, table),
        })
    }

    /// The table.
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// How many series there are at the most, as far as watermarks tell; 1 where there are none.
    pub fn labels(&self) -> usize {
        self.watermarks.as_ref().map_or(1, Watermarks::series)
    }

    /// Archived days may have come or gone: they are read again when they are needed.
    pub fn archive_changed(&mut self) {
        self.late_days.forget();
    }

    /// Stores batches in their order, under the eyes of `past`, and notes which archived days gained rows.
    pub fn store<'a>(
        &mut self,
        connection: &Connection,
        batches: impl Iterator<Item = &'a RecordBatch>,
        past: &mut Past,
    ) -> Result<(), TableWriteError> {
        self.store_rows(connection, batches, past)?;
        Ok(self.late_days.note(connection, self.table, past.days())?)
    }

    fn store_rows<'a>(
        &mut self,
        connection: &Connection,
        batches: impl Iterator<Item = &'a RecordBatch>,
        past: &mut Past,
    ) -> Result<(), TableWriteError> {
        let (mut above, mut late, mut held) = (Vec::new(), Vec::new(), 0);
        for batch in batches.flat_map(parts) {
            past.notice(&batch)?;
            match &mut self.watermarks {
                Some(watermarks) => {
                    let (of_above, of_late) = parted(&batch, &watermarks.late_rows(&batch)?)?;
                    above.extend(of_above);
                    late.extend(of_late);
                }
                None => late.push(batch.clone()),
            }
            held += batch.num_rows();
            if held >= PART_ROWS {
                self.store_part(connection, &std::mem::take(&mut above), &std::mem::take(&mut late), past)?;
                held = 0;
            }
        }
        self.store_part(connection, &above, &late, past)
    }

    /// Appends the rows that cannot replace anything, then lets the others replace what has their keys.
    fn store_part(
        &mut self,
        connection: &Connection,
        above: &[RecordBatch],
        late: &[RecordBatch],
        past: &mut Past,
    ) -> Result<(), TableWriteError> {
        append(connection, self.table.name, None, above)?;
        if late.is_empty() {
            return Ok(());
        }
        // Equal keys always meet among the late rows, in the order of their arrival.
        let late = last_of_each_key(self.table, late, &self.key)?;
        if let Some(key) = key_column(self.table) {
            past.add_keys(column::<StringArray>(&late, key)?.clone());
        }
        connection.execute_batch(&self.stage)?;
        append(connection, "staging", Some("temp"), &[late])?;
        if let Some(replaced) = &self.replaced {
            let mut statement = connection.prepare(&replaced.replace("{before}", &past.before().to_string()))?;
            for row in statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))? {
                let (instant, label) = row?;
                past.add(instant, &label);
            }
        }
        connection.execute_batch(&self.replace)?;
        if let Some(watermarks) = &mut self.watermarks {
            watermarks.look_up_staged(connection)?;
        }
        Ok(connection.execute_batch(include_str!("../../queries/write/unstage.sql"))?)
    }
}

/// A batch in parts that are not too large to be held.
fn parts(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    (0..batch.num_rows()).step_by(PART_ROWS).map(|from| batch.slice(from, PART_ROWS.min(batch.num_rows() - from)))
}

/// Appends batches; `flush` tells whether they were taken, a later commit would not.
pub(super) fn append(
    connection: &Connection,
    table: &str,
    catalog: Option<&str>,
    batches: &[RecordBatch],
) -> Result<(), duckdb::Error> {
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(());
    }
    let mut appender = match catalog {
        Some(catalog) => connection.appender_to_catalog_and_db(table, catalog, "main")?,
        None => connection.appender(table)?,
    };
    for batch in batches {
        appender.append_record_batch(batch.clone())?;
    }
    appender.flush()
}

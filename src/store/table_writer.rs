//! How the rows of one table are stored so that the last write of a key wins.

use std::any::Any;

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

/// Rows that are held while it is found out which are late, and that are staged at one time; beyond that they are stored in
/// parts.
const PART_ROWS: usize = 200_000;

/// Stores batches of one table inside the writer's transaction.
pub struct TableWriter {
    replacing: Replacing,
    /// `None` for a table with a real key.
    watermarks: Option<Watermarks>,
    late_days: LateDays,
    /// For a table whose key says nothing of the time: which buckets lose a row.
    replaced: Option<String>,
}

/// How rows of a table take the place of stored ones: all that a connection needs to know for it.
#[derive(Clone)]
pub struct Replacing {
    table: &'static Table,
    key: Vec<usize>,
    stage: String,
    replace: String,
}

/// Rows that are stored at one time.
#[derive(Default)]
pub struct Part {
    batches: Vec<Sorted>,
    rows: usize,
}

/// A batch of which it is known which rows may replace stored ones.
struct Sorted {
    batch: RecordBatch,
    /// `None` for all of them.
    late: Option<Vec<usize>>,
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

    /// A library panicked, and left this behind.
    pub fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Self::Panicked(text.unwrap_or_else(|| "without a word".into()))
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
        let replacing = Replacing {
            table,
            key: table.key.iter().filter_map(|column| table.position(column)).collect(),
            stage: fill(include_str!("../../queries/write/stage.sql"), table),
            replace: fill(replace, table),
        };
        Ok(Self { replacing, watermarks, late_days: LateDays::default(), replaced })
    }

    /// The table.
    pub fn table(&self) -> &'static Table {
        self.replacing.table
    }

    /// How its rows take the place of stored ones; `None` where transactions beside each other would be in each other's way,
    /// because the key is an index of the database.
    pub fn replacing(&self) -> Option<Replacing> {
        self.watermarks.is_some().then(|| self.replacing.clone())
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
        let mut part = Part::default();
        for batch in batches.flat_map(slices) {
            self.sort_out(batch, &mut part, past)?;
            if part.rows >= PART_ROWS {
                self.store_part(connection, &std::mem::take(&mut part), past)?;
            }
        }
        self.store_part(connection, &part, past)?;
        self.note_days(connection, past)
    }

    /// The parts in which batches are stored, under the eyes of `past`. The watermarks move.
    pub fn parts<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a RecordBatch>,
        past: &mut Past,
    ) -> Result<Vec<Part>, TableWriteError> {
        let mut parts = vec![Part::default()];
        for batch in batches.flat_map(slices) {
            if parts.last().is_none_or(|part| part.rows >= PART_ROWS) {
                parts.push(Part::default());
            }
            if let Some(part) = parts.last_mut() {
                self.sort_out(batch, part, past)?;
            }
        }
        Ok(parts)
    }

    /// Notes in the open transaction which archived days gain rows.
    pub fn note_days(&mut self, connection: &Connection, past: &Past) -> Result<(), TableWriteError> {
        Ok(self.late_days.note(connection, self.replacing.table, past.days())?)
    }

    fn sort_out(&mut self, batch: RecordBatch, part: &mut Part, past: &mut Past) -> Result<(), TableWriteError> {
        past.notice(&batch)?;
        part.rows += batch.num_rows();
        let late = self.watermarks.as_mut().map(|watermarks| watermarks.late_rows(&batch)).transpose()?;
        part.batches.push(Sorted { batch, late });
        Ok(())
    }

    fn store_part(&mut self, connection: &Connection, part: &Part, past: &mut Past) -> Result<(), TableWriteError> {
        let table = self.replacing.table;
        let Some(late) = self.replacing.begin(connection, part)? else { return Ok(()) };
        if let Some(key) = key_column(table) {
            past.add_keys(column::<StringArray>(&late, key)?.clone());
        }
        if let Some(replaced) = &self.replaced {
            let mut statement = connection.prepare(&replaced.replace("{before}", &past.before().to_string()))?;
            for row in statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))? {
                let (instant, label) = row?;
                past.add(instant, &label);
            }
        }
        connection.execute_batch(&self.replacing.replace)?;
        if let Some(watermarks) = &mut self.watermarks {
            watermarks.look_up_staged(connection)?;
        }
        Ok(connection.execute_batch(UNSTAGE)?)
    }
}

impl Replacing {
    /// Stores a part of which nothing but its rows has to be known.
    pub fn store(&self, connection: &Connection, part: &Part) -> Result<(), TableWriteError> {
        if self.begin(connection, part)?.is_some() {
            connection.execute_batch(&self.replace)?;
            connection.execute_batch(UNSTAGE)?;
        }
        Ok(())
    }

    /// Appends the rows that cannot replace anything, and stages the others, if there are any: the last of each key.
    fn begin(&self, connection: &Connection, part: &Part) -> Result<Option<RecordBatch>, TableWriteError> {
        let (mut above, mut late) = (Vec::new(), Vec::new());
        for sorted in &part.batches {
            let (of_above, of_late) = match &sorted.late {
                Some(late) => parted(&sorted.batch, late)?,
                None => (None, Some(sorted.batch.clone())),
            };
            above.extend(of_above);
            late.extend(of_late);
        }
        append(connection, self.table.name, None, &above)?;
        if late.is_empty() {
            return Ok(None);
        }
        // Equal keys always meet among the late rows, in the order of their arrival.
        let late = last_of_each_key(self.table, &late, &self.key)?;
        connection.execute_batch(&self.stage)?;
        append(connection, "staging", Some("temp"), std::slice::from_ref(&late))?;
        Ok(Some(late))
    }
}

const UNSTAGE: &str = include_str!("../../queries/write/unstage.sql");

/// A batch in parts that are not too large to be held.
fn slices(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
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

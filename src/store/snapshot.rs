//! What is stored where, as of one read transaction: how far roll-ups reach, and which days are in the archive.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use duckdb::Connection;

use super::archive;
use super::job::failed;
use super::reader::Shared;
use super::rollup::dropped::Dropped;
use super::rollup::text::fill;
use super::rollup::{LEVELS, Level, Made, Reach, Rolled, TimeRange, marks};
use super::value::{Value, bind};
use crate::archive::Lease;
use crate::batch::ReadError;
use crate::tables::Table;
use crate::time::Micros;

/// One statement of a question.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) sql: Arc<str>,
    pub(super) parameters: Vec<Value>,
    pub(super) newest_first: Option<NewestFirst>,
}

/// The order of an answer by time, newest first, and by label, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewestFirst {
    /// The column with the label, where there is one.
    pub label: Option<&'static str>,
    /// Rows after which the statement is given up: all of them are held until they are in order.
    pub most_rows: usize,
}

/// What became of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Its result had so many rows.
    Rows(usize),
    /// It had more than may be put in order at one time, or than there is memory for. Nothing of it was passed on.
    TooManyRows,
}

/// The statements of a query, each made when it is its turn.
pub trait Statements {
    /// The next one, if there is any. `done` is what became of the one before it; `None` at the first.
    fn next(&mut self, snapshot: &Snapshot<'_>, done: Option<Done>) -> Result<Option<Statement>, ReadError>;
}

/// One statement.
pub(super) struct Once {
    statement: Option<Statement>,
}

impl Once {
    pub fn new(statement: Statement) -> Self {
        Self { statement: Some(statement) }
    }
}

impl Statements for Once {
    fn next(&mut self, _: &Snapshot<'_>, _: Option<Done>) -> Result<Option<Statement>, ReadError> {
        Ok(self.statement.take())
    }
}

/// Statements that are all made at the beginning.
pub(super) struct AllAtOnce<Q> {
    question: Option<Q>,
    statements: std::vec::IntoIter<Statement>,
}

impl<Q> AllAtOnce<Q> {
    pub fn new(question: Q) -> Self {
        Self { question: Some(question), statements: Vec::new().into_iter() }
    }
}

impl<Q> Statements for AllAtOnce<Q>
where
    Q: FnOnce(&Snapshot<'_>) -> Result<Vec<Statement>, ReadError>,
{
    fn next(&mut self, snapshot: &Snapshot<'_>, _: Option<Done>) -> Result<Option<Statement>, ReadError> {
        if let Some(question) = self.question.take() {
            self.statements = question(snapshot)?.into_iter();
        }
        Ok(self.statements.next())
    }
}

impl Statement {
    /// A statement with its parameters, `$1` first.
    pub fn new(sql: impl Into<Arc<str>>, parameters: Vec<Value>) -> Self {
        Self { sql: sql.into(), parameters, newest_first: None }
    }

    /// The same with its answer put in order on its way out. The whole answer of the statement is held for that.
    pub fn newest_first(self, order: NewestFirst) -> Self {
        Self { newest_first: Some(order), ..self }
    }
}

/// A day whose rows are in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedDay {
    /// Its first instant.
    pub start: Micros,
    /// Its file, relative to the archive.
    pub file: String,
    /// Whether rows were stored in the database since, which replace those of the file with their key.
    pub late: bool,
    /// Rows in the file.
    pub rows: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Sum of the hashes of its rows, as [`crate::batch::Checksum`] shows it.
    pub checksum: String,
    /// The hash of its bytes, as [`crate::archive::Digest`] shows it; `None` where an older version wrote it.
    pub hash: Option<String>,
    /// Sizes and hashes of the files that were about to take its place since it was recorded: any of them may be there.
    pub announced: Vec<(u64, String)>,
}

/// The open transaction of a question.
pub struct Snapshot<'a> {
    pub(super) connection: &'a Connection,
    pub(super) shared: &'a Shared,
    /// How long the question may take.
    pub(super) limit: Duration,
    /// Files that the statements read: they stay until the transaction ends.
    pub(super) leases: &'a RefCell<Vec<Lease>>,
    /// Up to where buckets were made before the transaction began.
    made: Made,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        shared: &'a Shared,
        leases: &'a RefCell<Vec<Lease>>,
        limit: Duration,
        made: Made,
    ) -> Self {
        Self { connection, shared, limit, leases, made }
    }

    /// The levels of a table's roll-ups that hold anything, coarsest first.
    pub fn rolled(&self, table: &Table) -> Vec<Rolled> {
        self.shared.bounds.rolled(table, &self.made)
    }

    /// The buckets of a level in a time range that late rows have made stale, ascending: they say less than the rows do, of
    /// which they are to be computed. Nearly always there are none, and the database is not asked.
    pub fn stale(&self, table: &Table, level: Level, range: TimeRange) -> Result<Vec<Micros>, ReadError> {
        if !self.shared.bounds.may_be_stale(table, &self.made) {
            return Ok(Vec::new());
        }
        marks::waiting(self.connection, table, level, range).map_err(failed)
    }

    /// About how many rows a second a table has where its roll-ups end; `None` while it is not known.
    pub fn rows_per_second(&self, table: &Table) -> Option<f64> {
        self.shared.rollups.rows_per_second(table)
    }

    /// The end of the last day of a table that was dropped. `None` when none was.
    pub fn rows_begin(&self, table: &Table) -> Result<Option<Micros>, ReadError> {
        Ok(Reach::read(self.connection, table).map_err(failed)?.rows_begin())
    }

    /// What was dropped of a table.
    pub fn dropped(&self, table: &Table) -> Result<Dropped, ReadError> {
        Dropped::read(self.connection, table).map_err(failed)
    }

    /// From when to when a table has anything, rows or buckets; `None` for an empty one.
    pub fn extent(&self, table: &Table) -> Result<Option<(Micros, Micros)>, ReadError> {
        let level = |level| fill(include_str!("../../queries/rollup/extent_level.sql"), table, level);
        let levels: String = LEVELS.into_iter().map(level).collect();
        let extent = include_str!("../../queries/rollup/extent.sql").replace("{levels}", &levels);
        let extent = extent.replace("{table}", table.name);
        let found: (Option<Micros>, Option<Micros>) =
            self.connection.query_row(&extent, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
        Ok(found.0.zip(found.1))
    }

    /// The rows of a statement that has two columns of integers.
    pub fn pairs(&self, statement: Statement) -> Result<Vec<(i64, i64)>, ReadError> {
        let mut running = self.connection.prepare(&statement.sql).map_err(failed)?;
        let parameters = duckdb::params_from_iter(statement.parameters.into_iter().map(bind));
        let pairs = running.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)));
        pairs.and_then(Iterator::collect::<Result<_, _>>).map_err(failed)
    }

    /// The days of a table that are in the archive and have an instant from `start` to `end`, oldest first.
    pub fn archived(&self, table: &Table, start: Micros, end: Micros) -> Result<Vec<ArchivedDay>, ReadError> {
        archive::archived(self.connection, table, start, end)
    }
}

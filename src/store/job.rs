//! One query, or one held transaction, on the thread that computes it.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use duckdb::Connection;
use tokio::sync::mpsc;

use super::active::ActiveQuery;
use super::interrupt::{Reason, Stopped, Watch};
use super::pool::Lease;
use super::reader::Shared;
use super::results::ResultSender;
use super::rollup::Made;
use super::snapshot::{Done, NewestFirst, Snapshot, Statement, Statements};
use super::value::bind;
use crate::archive;
use crate::batch::{ReadError, newest_first};
use crate::budget::{BatchRoom, freed};

/// A connection, and what belongs to its transaction.
pub(super) struct Job {
    lease: Lease,
    watch: Watch,
    active: ActiveQuery,
    /// Files of archived days that its statements read.
    leases: RefCell<Vec<archive::Lease>>,
    limit: Duration,
    shared: Shared,
    /// Up to where buckets were made just before the transaction began.
    made: Cell<Made>,
    /// Whether the transaction has been ended.
    ended: bool,
}

impl Job {
    pub fn new(lease: Lease, watch: Watch, active: ActiveQuery, limit: Duration, shared: Shared) -> Self {
        let made = Cell::new(shared.bounds.made());
        Self { lease, watch, active, leases: RefCell::default(), limit, shared, made, ended: false }
    }

    /// Begins a transaction, streams the result of `statements`, and ends it.
    pub fn run(self, statements: impl Statements, mut results: ResultSender) {
        let outcome = self.begin().and_then(|()| self.stream_all(statements, &mut results));
        let outcome = self.explain(outcome);
        self.finish(outcome.is_ok());
        results.end(outcome);
    }

    /// Opens the transaction, at a moment at which nothing changes up to where buckets are made: where they are not, the
    /// rows are still there.
    pub fn begin(&self) -> Result<(), ReadError> {
        begin_together(&[self])
    }

    /// Ends the transaction and gives the connection back.
    pub fn finish(mut self, succeeded: bool) {
        self.end(if succeeded { "COMMIT" } else { "ROLLBACK" });
        freed::give_back_near_limit();
    }

    fn end(&mut self, statement: &str) {
        self.ended = true;
        // Only when no interrupt can come any more may the connection go on.
        self.watch.finish();
        if let Err(error) = self.execute(statement) {
            tracing::debug!(%error, "a read transaction had ended already");
        }
    }

    /// What is stored where, in the transaction that is open.
    pub fn snapshot(&self) -> Result<Snapshot<'_>, ReadError> {
        Ok(Snapshot::new(self.lease.connection()?, &self.shared, &self.leases, self.limit, self.made.get()))
    }

    /// What there is to do next, waiting for it; `None` when there is nothing more, or the transaction must end.
    pub fn next<T>(&self, tasks: &mut mpsc::Receiver<T>) -> Option<T> {
        self.active.wait_for_client(|| self.watch.wait(tasks.recv()))?
    }

    /// What tells why it was stopped.
    pub fn reason(&self) -> Reason {
        self.watch.reason()
    }

    /// Streams the result of `statements` in the transaction that is open.
    pub fn answer(&self, statements: impl Statements, mut results: ResultSender) {
        let outcome = self.stream_all(statements, &mut results);
        results.end(self.explain(outcome));
    }

    /// Notices an engine that cannot go on, and tells an error from what it was stopped for.
    fn explain(&self, outcome: Result<(), ReadError>) -> Result<(), ReadError> {
        outcome.map_err(|error| {
            self.shared.failure.notice(&error.to_string());
            if matches!(error, ReadError::Failed(_)) {
                self.leases.borrow().iter().for_each(archive::Lease::distrust);
            }
            match (self.watch.stopped().and_then(Stopped::error), error) {
                (Some(stopped), _) => stopped,
                // Others hold what it lacks: alone it may have enough.
                (None, ReadError::OutOfMemory(_)) if self.active.has_company() => ReadError::NoMemory,
                (_, error) => error,
            }
        })
    }

    /// Runs the statements, and plans each of them anew. A plan is made for the values that the table holds at that moment:
    /// it leaves out filters that hold for all of them and packs groups as tightly as they allow. Kept, or run in a later
    /// transaction, it gives wrong results once there are other values.
    fn stream_all(&self, mut statements: impl Statements, results: &mut ResultSender) -> Result<(), ReadError> {
        let snapshot = self.snapshot()?;
        let mut done = None;
        while let Some(statement) = statements.next(&snapshot, done)? {
            done = Some(self.stream(self.lease.connection()?, statement, results)?);
        }
        Ok(())
    }

    fn stream(
        &self,
        connection: &Connection,
        statement: Statement,
        results: &mut ResultSender,
    ) -> Result<Done, ReadError> {
        let compute = &self.active;
        let mut running = compute.compute(|| connection.prepare(&statement.sql)).map_err(failed)?;
        let parameters: Vec<_> = statement.parameters.into_iter().map(bind).collect();
        let started = compute
            .compute(|| running.stream_arrow(duckdb::params_from_iter(parameters)).map(|stream| stream.get_schema()));
        let schema = started.map_err(failed)?;
        results.open(&schema);
        let (mut unordered, mut rows) = (Vec::new(), 0);
        // Held until everything is passed on: what is in order is copied out of it.
        let mut room = self.shared.gathered.empty();
        // The engine's own iterator panics on an error in the middle of a result.
        while let Some(batch) = compute.compute(|| running.step()).map_err(failed)? {
            let batch = RecordBatch::try_new(schema.clone(), batch.columns().to_vec()).map_err(broken)?;
            let Some(NewestFirst { most_rows, .. }) = statement.newest_first else {
                self.send(results, batch)?;
                continue;
            };
            rows += batch.num_rows();
            if rows > most_rows || room.try_grow(batch.get_array_memory_size() as u64).is_err() {
                return Ok(Done::TooManyRows);
            }
            unordered.push(batch);
        }
        // What the engine holds of the statement is of no use to a client that reads slowly.
        drop(running);
        if let Some(NewestFirst { label, .. }) = statement.newest_first {
            let mut ordered = newest_first(unordered, label).map_err(broken)?;
            let each = room.amount() / ordered.len().max(1) as u64;
            while ordered.len() > 0 {
                let taken = self.reserve(results, each)?;
                if let Some(batch) = ordered.next() {
                    self.pass_on(results, batch.map_err(broken)?, taken)?;
                }
            }
        }
        Ok(Done::Rows(rows))
    }

    fn send(&self, results: &mut ResultSender, batch: RecordBatch) -> Result<(), ReadError> {
        let room = self.reserve(results, batch.get_array_memory_size() as u64)?;
        self.pass_on(results, batch, room)
    }

    fn reserve(&self, results: &mut ResultSender, amount: u64) -> Result<BatchRoom, ReadError> {
        results.reserve(amount, &self.watch, &self.active).ok_or(ReadError::Stopping)
    }

    fn pass_on(&self, results: &ResultSender, batch: RecordBatch, room: BatchRoom) -> Result<(), ReadError> {
        results.send(batch, room, &self.watch, &self.active).ok_or(ReadError::Stopping)
    }

    fn execute(&self, sql: &str) -> Result<(), ReadError> {
        self.lease.connection()?.execute_batch(sql).map_err(failed)
    }
}

impl Drop for Job {
    /// A job that broke down: its connection, which goes back, is to be fit for the next one.
    fn drop(&mut self) {
        if !self.ended {
            self.end("ROLLBACK");
        }
    }
}

/// Opens the transactions of several jobs so that they see one snapshot.
pub(super) fn begin_together(jobs: &[&Job]) -> Result<(), ReadError> {
    let Some(first) = jobs.first() else { return Ok(()) };
    let bounds = &first.shared.bounds;
    loop {
        let made = bounds.made();
        // One transaction sees one snapshot by itself.
        let instant = (jobs.len() > 1).then(|| first.shared.commits.hold());
        for job in jobs {
            job.made.set(made);
            job.execute("BEGIN TRANSACTION READ ONLY")?;
        }
        drop(instant);
        if bounds.made() == made {
            return Ok(());
        }
        jobs.iter().try_for_each(|job| job.execute("ROLLBACK"))?;
    }
}

fn broken(error: arrow::error::ArrowError) -> ReadError {
    ReadError::Failed(error.to_string())
}

/// Whether an error of the engine says that memory ran out: the appender says so in words of its own.
pub(super) fn is_want_of_memory(text: &str) -> bool {
    text.starts_with("Out of Memory Error")
        || ["could not allocate block of size", "failed to allocate data of size"]
            .iter()
            .any(|words| text.contains(words))
}

pub(super) fn failed(error: duckdb::Error) -> ReadError {
    let text = error.to_string();
    if is_want_of_memory(&text) {
        ReadError::OutOfMemory(text)
    } else if text.contains("Current transaction is aborted") {
        // Only a lack of memory aborts one that reads. The statement before this one was given up before it could tell.
        ReadError::NoMemory
    } else if ["Conversion Error", "Out of Range Error"].iter().any(|kind| text.starts_with(kind)) {
        // The values do not fit what was asked of them, which another query can avoid.
        ReadError::Invalid(text)
    } else {
        ReadError::Failed(text)
    }
}

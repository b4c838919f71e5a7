//! A group of writes in one transaction, and what becomes of each.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{Writer, answer};
use crate::batch::{Stored, Write, WriteError};
use crate::store::commit::{self, CommitError};
use crate::store::rollup::Past;
use crate::store::table_writer::TableWriteError;
use crate::tables::Table;

/// How long rows wait for memory that queries hold.
const PATIENCE_FOR_MEMORY: Duration = Duration::from_secs(5);

/// Failures after which collected rows are given up.
const PATIENCE: u32 = 60;

impl Writer {
    /// Stores a group in one transaction; when it fails, each write in one of its own, so that only the bad one fails.
    pub(super) fn store(&mut self, group: Vec<Write>) {
        match self.transact_with_patience(&group) {
            Ok(stored) => group.into_iter().zip(stored).for_each(|(write, stored)| answer(write, Ok(stored))),
            Err(_) if group.len() > 1 => group.into_iter().for_each(|write| self.store(vec![write])),
            Err(error) => group.into_iter().for_each(|write| self.fail(write, &error)),
        }
    }

    /// Rows that somebody waits for are that client's to send again. Collected rows exist nowhere else: they are tried
    /// again with the next ones, so that a passing fault costs nothing; the room that they keep holds up collectors.
    pub(super) fn fail(&mut self, mut write: Write, error: &TableWriteError) {
        if let TableWriteError::NoSpace(shortage) = error {
            return self.keep_or_refuse(write, shortage);
        }
        let (table, rows) = (write.table.name, write.rows());
        write.failures += 1;
        if self.shared.failure.is_raised() {
            // Whether these rows are stored is known after the restart.
            return answer(write, Err(WriteError::EngineFailed));
        }
        if write.acknowledge.is_none() && write.failures < PATIENCE {
            tracing::warn!(table, rows, failures = write.failures, %error, "collected rows were not stored, trying again");
            self.gathered.push(write);
            self.gathering_since.get_or_insert_with(Instant::now);
        } else {
            tracing::error!(table, rows, %error, "rows were not stored");
            let want_of_memory = error.is_want_of_memory();
            answer(
                write,
                Err(if want_of_memory { WriteError::NoMemory } else { WriteError::Rejected(error.to_string()) }),
            );
        }
    }

    /// Stores a group. Where there is too little memory for it, queries are stopped, those first that hold most, until there
    /// is enough or some seconds have passed.
    fn transact_with_patience(&mut self, group: &[Write]) -> Result<Vec<Stored>, TableWriteError> {
        let until = Instant::now() + PATIENCE_FOR_MEMORY;
        let mut outcome = self.transact(group);
        while outcome.as_ref().is_err_and(TableWriteError::is_want_of_memory) && !self.shared.failure.is_raised() {
            let stopped = self.shared.memory.reclaim();
            let Ok(_reserve) = self.shared.memory.take() else { break };
            outcome = self.transact(group);
            if !stopped || Instant::now() >= until {
                break;
            }
        }
        outcome
    }

    fn transact(&mut self, group: &[Write]) -> Result<Vec<Stored>, TableWriteError> {
        if self.shared.failure.is_raised() {
            return Err(TableWriteError::Commit(CommitError::Refused));
        }
        self.space.check(group.iter().map(Write::bytes).sum())?;
        let started = Instant::now();
        commit::begin(&self.connection, &self.shared)?;
        let mut pasts: Vec<Past> = self.tables.iter().map(|(_, roller)| roller.past()).collect();
        let stored =
            self.store_tables(group, &mut pasts).and_then(|()| Ok(commit::commit(&self.connection, &self.shared)?));
        if stored.is_err() {
            // A commit that failed has ended the transaction already.
            commit::roll_back(&self.connection, &self.shared);
        }
        self.ended_with(stored, group, &mut pasts, started)
    }

    /// Takes note of how a transaction has ended.
    pub(super) fn ended_with(
        &mut self,
        stored: Result<(), TableWriteError>,
        group: &[Write],
        pasts: &mut [Past],
        began: Instant,
    ) -> Result<Vec<Stored>, TableWriteError> {
        let stored = stored.map_err(|error| self.name(error));
        let counts = self.shared.figures.counts();
        match stored {
            Ok(()) => {
                counts.commits.record_duration(began.elapsed());
                counts.commit_rows.record(group.iter().map(Write::rows).sum::<usize>() as f64);
                let outcomes = group.iter().map(|write| self.stored(write, pasts)).collect();
                for ((_, roller), past) in self.tables.iter_mut().zip(pasts) {
                    roller.committed(past);
                    past.days().iter().for_each(|day| self.touched.touch(roller.table(), *day));
                    if self.shared.bounds.has_archive(roller.table()) {
                        self.shared.new_keys.add(roller.table(), past.take_keys());
                    }
                }
                Ok(outcomes)
            }
            Err(error) => {
                counts.failed_commits.fetch_add(1, Ordering::Relaxed);
                self.tables.iter_mut().for_each(|(_, roller)| roller.rolled_back());
                Err(error)
            }
        }
    }

    /// Counts a write that is committed. Says so where nothing but its rows will tell of it.
    fn stored(&mut self, write: &Write, pasts: &[Past]) -> Stored {
        let of_table = self.tables.iter_mut().zip(pasts);
        let of_table = of_table.map(|((_, roller), past)| (roller, past));
        let mut of_table = of_table.filter(|(roller, _)| std::ptr::eq(roller.table(), write.table));
        let of_dropped_days = of_table.next().map_or(0, |(roller, past)| {
            let days = past.of_dropped_days(&write.batches);
            roller.came_too_late(&days);
            days.values().sum()
        });
        self.shared.figures.stored(write.table, write.rows(), of_dropped_days);
        Stored { of_dropped_days }
    }

    /// Tells a full disk from what is wrong with the rows, and both from the end of the engine.
    fn name(&self, error: TableWriteError) -> TableWriteError {
        let text = error.to_string();
        self.shared.failure.notice(&text);
        if self.shared.failure.is_raised() {
            return error;
        }
        self.space.ran_out(&text).map_or(error, Into::into)
    }

    fn store_tables(&mut self, group: &[Write], pasts: &mut [Past]) -> Result<(), TableWriteError> {
        for ((writer, roller), past) in self.tables.iter_mut().zip(pasts) {
            let of_table = |table: &'static Table| move |write: &&Write| std::ptr::eq(write.table, table);
            let writes = group.iter().filter(of_table(writer.table()));
            writer.store(&self.connection, writes.flat_map(|write| &write.batches), past)?;
            if past.has_keys() && self.shared.bounds.has_archive(roller.table()) {
                self.shared.new_keys.note(&self.connection, roller.table())?;
            }
            // After the rows: what is computed again is made of them.
            roller.keep_exact(&self.connection, past)?;
        }
        Ok(())
    }
}

//! A large write from its place in the queue to its commit.

use duckdb::Connection;
use tokio::time::Instant;

use super::beside::{Large, Stored};
use super::{LARGE_ROWS, Writer, answer};
use crate::batch::Write;
use crate::store::commit;
use crate::store::rollup::Past;
use crate::store::table_writer::{Part, Replacing, TableWriteError};
use crate::tables::Table;

impl Writer {
    /// Whether a write is so large, and of such a table, that it is stored beside the others.
    pub(super) fn is_large(&self, write: &Write) -> bool {
        write.rows() > LARGE_ROWS && self.replacing(write.table).is_some()
    }

    fn replacing(&self, table: &Table) -> Option<Replacing> {
        let mut writers = self.tables.iter().map(|(writer, _)| writer);
        writers.find(|writer| std::ptr::eq(writer.table(), table))?.replacing()
    }

    /// Begins to store a large write beside the others, if there is one and nothing else has to be done first.
    pub(super) fn begin_large(&mut self) {
        let has_tasks = !self.tasks.is_empty() && !self.receiver.is_closed();
        if self.beside.is_busy() || has_tasks {
            return;
        }
        let Some(write) = self.queue.next_large() else { return };
        if let Err(shortage) = self.space.check(write.bytes()) {
            return self.keep_or_refuse(write, &shortage);
        }
        let begun = match (self.prepare(&write), self.replacing(write.table)) {
            (Ok((connection, parts, pasts)), Some(replacing)) => {
                self.beside.begin(connection, Large { write, pasts, began: Instant::now() }, parts, replacing)
            }
            _ => Err(write),
        };
        if let Err(write) = begun {
            self.store(vec![write]);
        }
    }

    /// Begins the transaction of a large write.
    fn prepare(&mut self, write: &Write) -> Result<(Connection, Vec<Part>, Vec<Past>), TableWriteError> {
        let connection = self.connection.try_clone()?;
        let mut pasts: Vec<Past> = self.tables.iter().map(|(_, roller)| roller.past()).collect();
        let mut parts = Vec::new();
        for ((writer, _), past) in self.tables.iter_mut().zip(&mut pasts) {
            if std::ptr::eq(writer.table(), write.table) {
                parts = writer.parts(write.batches.iter(), past)?;
            }
        }
        commit::begin(&connection, &self.shared)?;
        Ok((connection, parts, pasts))
    }

    /// Commits a large write. When it fails, it is stored once more, alone.
    pub(super) fn finish(&mut self, large: Large, stored: Option<Stored>) {
        let Large { write, mut pasts, began } = large;
        let committed = match stored {
            Some(Stored { connection, outcome }) => {
                let committed = outcome.and_then(|()| self.commit_beside(&connection, &write, &mut pasts));
                committed.inspect_err(|_| commit::roll_back(&connection, &self.shared))
            }
            None => Err(TableWriteError::Panicked("the thread of a large write has ended".into())),
        };
        let write = [write];
        let ended = self.ended_with(committed, &write, &mut pasts, began);
        let [write] = write;
        match ended {
            Ok(stored) => answer(write, Ok(stored.into_iter().next().unwrap_or_default())),
            Err(error) if self.shared.failure.is_raised() => self.fail(write, &error),
            Err(error) => {
                tracing::debug!(%error, "a large write is stored alone");
                self.store(vec![write]);
            }
        }
        self.queue.release();
    }

    fn commit_beside(
        &mut self,
        connection: &Connection,
        write: &Write,
        pasts: &mut [Past],
    ) -> Result<(), TableWriteError> {
        // Others have taken some of the space that there was when it began, and a commit without any is the end of the engine.
        self.space.check(write.bytes())?;
        for ((writer, roller), past) in self.tables.iter_mut().zip(pasts) {
            writer.note_days(connection, past)?;
            roller.mark(connection, past)?;
        }
        Ok(commit::commit(connection, &self.shared)?)
    }
}

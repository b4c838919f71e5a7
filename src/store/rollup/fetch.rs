//! Brings the files of archived days near before a step begins, so that no step waits for an object store.

use std::sync::Arc;

use duckdb::Connection;
use tokio::sync::{Notify, oneshot};

use super::Bounds;
use super::ranges::TimeRange;
use super::step::Work;
use crate::archive::{ArchiveError, Files, Lease};
use crate::batch::ReadError;
use crate::store::archive::{archived, unreadable};
use crate::store::table_writer::TableWriteError;
use crate::tables::Table;

/// The files of one step that waits for them. Used by the writer alone.
#[derive(Default)]
pub struct Fetch {
    flight: Option<(Work, oneshot::Receiver<Result<Lease, ArchiveError>>)>,
}

/// What a step can do now.
pub enum Fetched {
    /// It begins; its files stay as long as the lease lives.
    Ready(Work, Option<Lease>),
    /// Its files are on their way.
    Waiting,
    /// They do not come.
    Failed(Work, TableWriteError),
}

impl Fetch {
    /// Whether files are on their way.
    pub fn is_waiting(&self) -> bool {
        self.flight.as_ref().is_some_and(|(_, answer)| answer.is_empty())
    }

    /// The files for what `next` says, which reads the rows of `ranges`; or for what they were fetched for before.
    /// `arrived` is told when it is worth a look again.
    pub fn files(
        &mut self,
        connection: &Connection,
        table: &'static Table,
        (files, bounds, arrived): (&Files, &Bounds, &Arc<Notify>),
        next: Work,
        ranges: &[TimeRange],
    ) -> Fetched {
        if let Some((work, mut answer)) = self.flight.take() {
            return match answer.try_recv() {
                Ok(Ok(lease)) => Fetched::Ready(work, Some(lease)),
                Ok(Err(error)) => Fetched::Failed(work, unreadable(error).into()),
                Err(oneshot::error::TryRecvError::Empty) => {
                    self.flight = Some((work, answer));
                    Fetched::Waiting
                }
                Err(oneshot::error::TryRecvError::Closed) => Fetched::Failed(work, ReadError::Stopping.into()),
            };
        }
        let archive_end = bounds.archive_end(table);
        if ranges.iter().all(|(from, _)| *from >= archive_end) {
            return Fetched::Ready(next, None);
        }
        let days = ranges.iter().map(|(from, until)| archived(connection, table, *from, until.saturating_sub(1)));
        match days.collect::<Result<Vec<_>, _>>().map(|days| days.concat()) {
            Err(error) => Fetched::Failed(next, error.into()),
            Ok(days) if days.is_empty() => Fetched::Ready(next, None),
            Ok(days) => {
                let (answer, answered) = oneshot::channel();
                let arrived = arrived.clone();
                files.fetch(days, move |fetched| {
                    // An error means that the writer has ended.
                    let _ = answer.send(fetched);
                    arrived.notify_one();
                });
                self.flight = Some((next, answered));
                Fetched::Waiting
            }
        }
    }
}

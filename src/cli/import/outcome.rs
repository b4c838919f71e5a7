//! What an import is told to have done, and its rejected rows.

use std::time::Instant;

use super::{CommonArguments, ImportError};
use crate::cli::progress::{Rows, say};
use crate::transfer::Rejects;

/// An import on its way.
pub(super) struct Outcome {
    begun: Instant,
    stored: u64,
    rejects: Rejects,
    arguments: CommonArguments,
}

impl Outcome {
    /// Nothing is done yet.
    pub fn new(arguments: CommonArguments) -> Result<Self, ImportError> {
        let rejects = match &arguments.rejected {
            Some(path) => {
                Rejects::into_file(path).map_err(|source| ImportError::Rejected { path: path.clone(), source })?
            }
            None => Rejects::default(),
        };
        Ok(Self { begun: Instant::now(), stored: 0, rejects, arguments })
    }

    /// The rows that are not stored.
    pub fn rejects(&mut self) -> &mut Rejects {
        &mut self.rejects
    }

    /// A source has been read to its end.
    pub fn done(&mut self, source: &str, table: &str, stored: u64) {
        self.stored += stored;
        let verb = if self.arguments.dry_run { "would be stored" } else { "stored" };
        say(format_args!("{source}: {} {verb} in {table}", Rows(stored)));
    }

    /// Rows of a source are of days that retention has dropped.
    pub fn came_too_late(&self, source: &str, rows: u64) {
        say(format_args!(
            "{source}: {} of days that retention has dropped are stored for SQL, exports and raw history; other history and \
             statistics go on telling what they told of these days",
            Rows(rows)
        ));
    }

    /// The end: the report of rejected rows, and an error if there are any that were not allowed.
    pub fn finish(mut self) -> Result<(), ImportError> {
        let path = self.arguments.rejected.clone().unwrap_or_default();
        self.rejects.finish().map_err(|source| ImportError::Rejected { path, source })?;
        let seconds = self.begun.elapsed().as_secs_f64();
        let rate = (self.stored as f64 / seconds.max(0.001)) as u64;
        say(format_args!("{} in {seconds:.1} s, {} a second", Rows(self.stored), Rows(rate)));
        let rejected = self.rejects.total();
        if rejected == 0 {
            return Ok(());
        }
        say(&self.rejects);
        match (self.arguments.allow_rejected, self.arguments.dry_run) {
            (true, _) => Ok(()),
            (false, false) => Err(ImportError::RowsRejected(rejected)),
            (false, true) => Err(ImportError::RowsWouldBeRejected(rejected)),
        }
    }
}

//! Makes steps beside the writer, on a connection of its own, so that no row waits for a roll-up.

use std::sync::mpsc as requests;

use duckdb::Connection;
use tokio::sync::mpsc as answers;

use super::{Step, Stepped};
use crate::store::reader::Shared;
use crate::tables::{TIME_COLUMN, Table};
use crate::time::Micros;

/// Makes one step at a time. Used by the writer alone.
pub struct Worker {
    steps: requests::Sender<Step>,
    made: answers::UnboundedReceiver<Stepped>,
    /// The table of the step that is being made, and up to where it may go.
    busy: Option<(&'static Table, Micros)>,
}

impl Worker {
    /// Starts its thread, which ends with the worker.
    pub fn start(connection: Connection, shared: Shared) -> std::io::Result<Self> {
        let (steps, waiting) = requests::channel::<Step>();
        let (answer, made) = answers::unbounded_channel();
        std::thread::Builder::new().name("roller".into()).spawn(move || {
            for step in waiting {
                if answer.send(step.make(&connection, &shared)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { steps, made, busy: None })
    }

    /// Whether a step is being made.
    pub fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    /// Begins a step. There must be none yet.
    pub fn begin(&mut self, step: Step) {
        self.busy = Some((step.table, step.complete));
        if self.steps.send(step).is_err() {
            self.give_up();
        }
    }

    /// Its thread has ended: nothing waits for it any more.
    fn give_up(&mut self) {
        self.busy = None;
        tracing::error!("no more roll-ups are made; rows are read in their place until the next start");
    }

    /// Whether rows of a table, the oldest of the instant `oldest`, would get into the buckets that are being made.
    pub fn is_in_the_way_of(&self, table: &Table, oldest: impl FnOnce() -> Option<Micros>) -> bool {
        self.busy.is_some_and(|(busy, complete)| {
            // A row may take another one away that is older, where the key does not say when that was.
            let may_be_older = !table.key.contains(&TIME_COLUMN);
            std::ptr::eq(busy, table) && (may_be_older || oldest().is_some_and(|oldest| oldest < complete))
        })
    }

    /// What has become of the step that is being made, when it is; never, if there is none.
    pub async fn made(&mut self) -> Stepped {
        if self.busy.is_none() {
            return std::future::pending().await;
        }
        match self.made.recv().await {
            Some(made) => {
                self.busy = None;
                made
            }
            None => {
                self.give_up();
                std::future::pending().await
            }
        }
    }

    /// The same, waiting for it here.
    pub fn wait(&mut self) -> Option<Stepped> {
        self.busy.take().and_then(|_| self.made.blocking_recv())
    }
}

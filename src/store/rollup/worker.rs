//! Takes steps beside the writer, on a connection of its own, so that no row waits for a rollup.

use std::sync::Arc;
use std::sync::mpsc as requests;

use duckdb::Connection;
use tokio::sync::Notify;
use tokio::sync::mpsc as answers;

use super::step::{Step, Stepped};
use crate::budget::freed;
use crate::store::reader::Shared;

/// Takes one step at a time. Used by the writer alone.
pub struct Worker {
    steps: requests::Sender<Step>,
    taken: answers::UnboundedReceiver<Stepped>,
    busy: bool,
    arrived: Arc<Notify>,
}

impl Worker {
    /// Starts its thread, which ends with the worker.
    pub fn start(connection: Connection, shared: Shared) -> std::io::Result<Self> {
        let (steps, waiting) = requests::channel::<Step>();
        let (answer, taken) = answers::unbounded_channel();
        std::thread::Builder::new().name("roller".into()).spawn(move || {
            for step in waiting {
                if answer.send(step.take(&connection, &shared)).is_err() {
                    break;
                }
                freed::give_back_near_limit();
            }
        })?;
        Ok(Self { steps, taken, busy: false, arrived: Arc::default() })
    }

    /// Whether a step is being taken.
    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// Told when files have arrived that a step waits for.
    pub fn arrivals(&self) -> Arc<Notify> {
        self.arrived.clone()
    }

    /// Begins a step. There must be none yet.
    pub fn begin(&mut self, step: Step) {
        self.busy = self.steps.send(step).is_ok();
        if !self.busy {
            tracing::error!("no more rollups are made; rows answer in their place until the next start");
        }
    }

    /// What has become of the step that is being taken, when it has ended, or `None` when files have arrived.
    pub async fn reported(&mut self) -> Option<Stepped> {
        tokio::select! {
            stepped = self.taken.recv(), if self.busy => {
                self.busy = false;
                stepped
            }
            () = self.arrived.notified() => None,
        }
    }

    /// Waits here until the step that is being taken has ended.
    pub fn wait(&mut self) -> Option<Stepped> {
        if std::mem::take(&mut self.busy) { self.taken.blocking_recv() } else { None }
    }
}

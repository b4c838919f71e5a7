//! The worker's way to the server.

use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::scan_rows::{Arrived, ScanRows};
use crate::batch::ReadError;
use crate::query::sql::store_sql::StoreSql;
use crate::query::sql::wire::{FromWorker, ScanId, ScanRequest, ToWorker};

/// Frames of a result that may wait to be written; the next one waits to be made.
const RESULTS_IN_FLIGHT: usize = 2;

/// Sends to the server, and hands what comes from it to the scans that wait for it.
pub struct Link {
    outgoing: Sender<Outgoing>,
    results: Arc<Semaphore>,
    scans: Mutex<Scans>,
    gone: CancellationToken,
}

/// A frame on its way out.
pub struct Outgoing {
    /// The message.
    pub message: FromWorker,
    /// The rows after it.
    pub rows: Vec<u8>,
    /// Given back once it is written.
    pub room: Option<OwnedSemaphorePermit>,
}

#[derive(Default)]
struct Scans {
    last: ScanId,
    open: HashMap<ScanId, mpsc::UnboundedSender<Arrived>>,
}

impl Link {
    /// Sends through `outgoing`.
    pub fn new(outgoing: Sender<Outgoing>) -> Self {
        let results = Arc::new(Semaphore::new(RESULTS_IN_FLIGHT));
        Self { outgoing, results, scans: Mutex::default(), gone: CancellationToken::new() }
    }

    /// Says something without rows. Never waits.
    pub fn say(&self, message: FromWorker) {
        // An error means that the server has gone, which whoever reads from it notices.
        let _ = self.outgoing.send(Outgoing { message, rows: Vec::new(), room: None });
    }

    /// Sends a frame of the result, when there is room for it.
    pub async fn send_result(&self, rows: Vec<u8>) -> Result<(), ReadError> {
        let room = self.results.clone().acquire_owned().await.map_err(|_| ReadError::Stopping)?;
        let outgoing = Outgoing { message: FromWorker::Rows, rows, room: Some(room) };
        self.outgoing.send(outgoing).map_err(|_| ReadError::Stopping)
    }

    /// Asks the server for the rows of a statement.
    pub fn scan(self: &Arc<Self>, sql: &StoreSql) -> ScanRows {
        let (sender, arrived) = mpsc::unbounded_channel();
        let id = {
            let mut scans = self.scans();
            scans.last = scans.last.wrapping_add(1);
            let id = scans.last;
            scans.open.insert(id, sender);
            id
        };
        self.say(FromWorker::Scan(id, ScanRequest::from(sql)));
        ScanRows::new(self.clone(), id, arrived)
    }

    /// A scan is not needed any more, or has ended.
    pub fn forget(&self, scan: ScanId) {
        self.scans().open.remove(&scan);
    }

    /// Hands a message to the scan that it is for. Those of a scan that is not needed any more are dropped.
    pub fn receive(&self, message: ToWorker, rows: Vec<u8>) {
        let (scan, arrived) = match message {
            ToWorker::Rows(scan) => (scan, Arrived::Rows(rows)),
            ToWorker::End(scan) => (scan, Arrived::End),
            ToWorker::Failed(scan, error) => (scan, Arrived::Failed(error)),
            ToWorker::Query(_) => return,
        };
        if let Some(waiting) = self.scans().open.get(&scan) {
            // An error means that it is not needed any more.
            let _ = waiting.send(arrived);
        }
    }

    /// The server has gone.
    pub fn close(&self) {
        self.gone.cancel();
        self.scans().open.clear();
    }

    /// Returns when the server has gone.
    pub async fn gone(&self) {
        self.gone.cancelled().await;
    }

    fn scans(&self) -> MutexGuard<'_, Scans> {
        self.scans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

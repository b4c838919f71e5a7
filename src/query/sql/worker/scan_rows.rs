//! The rows of one scan, as they come from the server.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use tokio::sync::mpsc::UnboundedReceiver;

use super::Link;
use crate::batch::ReadError;
use crate::query::sql::wire::{FromWorker, ScanId, decode};

/// What has come for a scan.
pub enum Arrived {
    /// Rows, as bytes.
    Rows(Vec<u8>),
    /// No more rows.
    End,
    /// No more rows, for this reason.
    Failed(ReadError),
}

/// The rows of one scan. What has come and is not used yet is held here: usually a few batches, all of them when the
/// server had to read on because another scan of the query needed its turn.
pub struct ScanRows {
    link: Arc<Link>,
    id: ScanId,
    arrived: UnboundedReceiver<Arrived>,
    ended: bool,
}

impl ScanRows {
    /// The rows of the scan `id`.
    pub fn new(link: Arc<Link>, id: ScanId, arrived: UnboundedReceiver<Arrived>) -> Self {
        Self { link, id, arrived, ended: false }
    }

    /// The next batch; `None` after the last one.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        match self.arrived.recv().await {
            Some(Arrived::Rows(bytes)) => {
                self.link.say(FromWorker::More(self.id));
                decode(bytes).map(|(_, rows)| rows)
            }
            Some(Arrived::End) => {
                self.ended = true;
                Ok(None)
            }
            Some(Arrived::Failed(error)) => {
                self.ended = true;
                Err(error)
            }
            None => Err(ReadError::Stopping),
        }
    }
}

impl Drop for ScanRows {
    fn drop(&mut self) {
        self.link.forget(self.id);
        if !self.ended {
            self.link.say(FromWorker::Cancel(self.id));
        }
    }
}

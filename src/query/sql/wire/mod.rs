//! What the server and its SQL worker processes say to each other.
//!
//! One stream each way. A [`frame`] is a message in JSON and, after it, rows as an Arrow IPC stream of their own (`rows`).
//! The worker sends the rows of the result as fast as they are taken. The rows that it reads go the other way, at most
//! [`SCAN_WINDOW`] batches of a scan ahead of what the worker has used.

pub mod frame;
mod rows;
mod scan;

use serde::{Deserialize, Serialize};

use crate::batch::ReadError;
pub use rows::{LARGEST_ROWS, Pieces, decode};
pub use scan::ScanRequest;

/// Batches of one scan that may be on their way to the worker.
pub const SCAN_WINDOW: usize = 4;

/// A scan of one worker.
pub type ScanId = u32;

/// From the server to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToWorker {
    /// The worker is idle: this is its next query.
    Query(Query),
    /// Rows of a scan.
    Rows(ScanId),
    /// A scan has no more rows.
    End(ScanId),
    /// A scan has no more rows, for this reason.
    Failed(ScanId, ReadError),
}

/// From a worker to the server.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromWorker {
    /// Rows of the result. The first ones come in any case, for the schema, though there may be none of them.
    Rows,
    /// The result is whole.
    Done,
    /// There is no result, or no more of it.
    Failed(ReadError),
    /// Nothing runs any more: the next query may come.
    Idle,
    /// The rows of this scan are needed.
    Scan(ScanId, ScanRequest),
    /// A batch of a scan has been used: one more may come.
    More(ScanId),
    /// The rest of a scan is not needed.
    Cancel(ScanId),
}

/// A user's query.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Query {
    /// The statement.
    pub sql: String,
    /// The values of its placeholders: a list, an object, or null.
    pub parameters: serde_json::Value,
}

//! The rows of the store, from one read transaction to the worker.
//!
//! All scans of a query see one snapshot and share one connection, which runs one statement at a time. A scan is read as
//! fast as the worker uses its rows. While it is read, others wait; and where a plan needs the rows of another one before
//! it uses more of these (a join that reads both its sides), the one that stands still is read to its end: its rows then
//! wait in the worker, whose memory is bounded. So no order of scans can stop a query for good.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::compute::BatchCoalescer;
use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::batch::{BatchStream, ReadError};
use crate::query::sql::deadline::Deadline;
use crate::query::sql::store_sql::StoreSql;
use crate::query::sql::wire::{FromWorker, Pieces, SCAN_WINDOW, ScanId, ScanRequest, ToWorker, frame};
use crate::store::{ReadTransaction, Reader};

/// A scan whose rows are not used for this long while another one waits is read to its end.
const STANDSTILL: Duration = Duration::from_millis(30);
/// Rows of a batch for the worker: the store's own are smaller.
const BATCH_ROWS: usize = 8192;
/// The most that a stored row may take on its way.
const LARGEST_STORED_ROW: usize = 256 << 20;

/// Serves the scans of one query.
pub struct Scans<'a, O> {
    reader: &'a Reader,
    output: &'a mut O,
    requests: UnboundedReceiver<FromWorker>,
    client_waits: &'a AtomicBool,
    deadline: Deadline,
    /// Opened by the first scan: not every query reads the store.
    transaction: Option<ReadTransaction>,
    waiting: VecDeque<(ScanId, ScanRequest)>,
}

/// How far a scan may be read.
struct Turn {
    scan: ScanId,
    /// Batches that may be sent; any number once it is read to its end.
    window: usize,
    cancelled: bool,
}

/// The worker has gone, or nobody listens to it any more.
struct Gone;

impl<'a, O: AsyncWrite + Unpin> Scans<'a, O> {
    /// Reads from `reader`, writes to `output`.
    pub fn new(
        reader: &'a Reader,
        output: &'a mut O,
        requests: UnboundedReceiver<FromWorker>,
        client_waits: &'a AtomicBool,
        deadline: Deadline,
    ) -> Self {
        Self { reader, output, requests, client_waits, deadline, transaction: None, waiting: VecDeque::new() }
    }

    /// Serves one scan after the other, until the worker has gone.
    pub async fn serve(mut self) {
        while let Ok((scan, request)) = self.next().await {
            let served = self.serve_one(scan, request).await;
            let said = match served {
                Ok(Ok(())) => self.say(&ToWorker::End(scan), &[]).await,
                Ok(Err(error)) => self.say(&ToWorker::Failed(scan, error), &[]).await,
                Err(gone) => Err(gone),
            };
            if said.is_err() {
                return;
            }
        }
    }

    async fn next(&mut self) -> Result<(ScanId, ScanRequest), Gone> {
        loop {
            if let Some(waiting) = self.waiting.pop_front() {
                return Ok(waiting);
            }
            let request = self.requests.recv().await.ok_or(Gone)?;
            self.note(request, None);
        }
    }

    async fn serve_one(&mut self, scan: ScanId, request: ScanRequest) -> Result<Result<(), ReadError>, Gone> {
        let mut rows = match self.open(request).await {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(error)),
        };
        let mut turn = Turn { scan, window: SCAN_WINDOW, cancelled: false };
        let mut gathering = BatchCoalescer::new(rows.schema().clone(), BATCH_ROWS);
        let columns = !rows.schema().fields().is_empty();
        loop {
            let more = tokio::select! {
                more = rows.next() => more,
                request = self.requests.recv() => {
                    self.note(request.ok_or(Gone)?, Some(&mut turn));
                    if turn.cancelled {
                        return Ok(Ok(()));
                    }
                    continue;
                }
            };
            let ended = more.is_none();
            match more {
                Some(Ok(batch)) if columns => {
                    if let Err(error) = gathering.push_batch(batch) {
                        return Ok(Err(ReadError::Failed(error.to_string())));
                    }
                }
                Some(Ok(batch)) => {
                    if let Err(error) = self.send(batch, &mut turn).await? {
                        return Ok(Err(error));
                    }
                }
                Some(Err(error)) => return Ok(Err(error)),
                None => {
                    if let Err(error) = gathering.finish_buffered_batch() {
                        return Ok(Err(ReadError::Failed(error.to_string())));
                    }
                }
            }
            while let Some(batch) = gathering.next_completed_batch() {
                if let Err(error) = self.send(batch, &mut turn).await? {
                    return Ok(Err(error));
                }
            }
            if ended || turn.cancelled {
                return Ok(Ok(()));
            }
        }
    }

    async fn open(&mut self, request: ScanRequest) -> Result<BatchStream, ReadError> {
        let sql = StoreSql::try_from(request)?;
        let transaction = match &self.transaction {
            Some(transaction) => transaction,
            // The query ends before it does.
            None => self.transaction.insert(self.reader.begin(self.deadline.remaining() + STANDSTILL).await?),
        };
        let statement = transaction.look(move |snapshot| sql.over(snapshot)).await?;
        transaction.query(statement).await
    }

    /// Sends a batch when the worker has room for it.
    async fn send(&mut self, batch: RecordBatch, turn: &mut Turn) -> Result<Result<(), ReadError>, Gone> {
        for piece in Pieces::of(batch, LARGEST_STORED_ROW) {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return Ok(Err(error)),
            };
            self.wait_for_room(turn).await?;
            if turn.cancelled {
                break;
            }
            turn.window = turn.window.saturating_sub(1);
            self.say(&ToWorker::Rows(turn.scan), &piece).await?;
        }
        Ok(Ok(()))
    }

    async fn wait_for_room(&mut self, turn: &mut Turn) -> Result<(), Gone> {
        while let Ok(request) = self.requests.try_recv() {
            self.note(request, Some(turn));
        }
        while turn.window == 0 && !turn.cancelled {
            match tokio::time::timeout(STANDSTILL, self.requests.recv()).await {
                Ok(request) => self.note(request.ok_or(Gone)?, Some(turn)),
                // A slow client is no standstill: as soon as it reads, so does the worker.
                Err(_) if self.waiting.is_empty() || self.client_waits.load(Ordering::Relaxed) => {}
                Err(_) => turn.window = usize::MAX,
            }
        }
        Ok(())
    }

    fn note(&mut self, request: FromWorker, turn: Option<&mut Turn>) {
        match (request, turn) {
            (FromWorker::Scan(scan, request), _) => self.waiting.push_back((scan, request)),
            (FromWorker::More(scan), Some(turn)) if turn.scan == scan => turn.window = turn.window.saturating_add(1),
            (FromWorker::Cancel(scan), Some(turn)) if turn.scan == scan => turn.cancelled = true,
            (FromWorker::Cancel(scan), _) => self.waiting.retain(|(waiting, _)| *waiting != scan),
            // Rows of a scan that was read to its end are being used.
            _ => {}
        }
    }

    async fn say(&mut self, message: &ToWorker, rows: &[u8]) -> Result<(), Gone> {
        frame::send(self.output, message, rows).await.map_err(|_| Gone)
    }
}

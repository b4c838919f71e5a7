//! The rows of a result, from the worker to the client.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::AsyncRead;
use tokio::sync::mpsc;

use super::{Client, Ended};
use crate::batch::ReadError;
use crate::query::sql::wire::{FromWorker, LARGEST_ROWS, decode, frame};

/// Passes on what a worker says.
pub struct Results<'a, I> {
    /// What it says.
    pub input: &'a mut I,
    /// Where requests for rows of the store go.
    pub requests: mpsc::UnboundedSender<FromWorker>,
    /// Whether the client is what the query waits for.
    pub client_waits: &'a AtomicBool,
    /// Rows that the result may have.
    pub max_rows: usize,
}

impl<I: AsyncRead + Unpin> Results<'_, I> {
    /// Passes everything on until the worker says that the result has ended, or a limit is hit.
    pub async fn pass_on(&mut self, client: &mut Client) -> Result<Ended, ReadError> {
        let mut left = self.max_rows;
        loop {
            let Ok((message, rows)) = frame::receive(self.input, LARGEST_ROWS).await else { return Ok(Ended::Lost) };
            match message {
                FromWorker::Rows => {
                    let (schema, rows) = decode(rows)?;
                    let number = rows.as_ref().map_or(0, arrow::record_batch::RecordBatch::num_rows);
                    left = left.checked_sub(number).ok_or(ReadError::TooManyRows(self.max_rows))?;
                    if let Some(opening) = client.opening.take() {
                        // Whoever asked may have gone, which the next line finds out.
                        let _ = opening.send(Ok(schema));
                    }
                    let Some(rows) = rows else { continue };
                    self.client_waits.store(true, Ordering::Relaxed);
                    client.batches.send(Ok(rows)).await.map_err(|_| ReadError::Stopping)?;
                    self.client_waits.store(false, Ordering::Relaxed);
                }
                FromWorker::Done => return Ok(Ended::Said(Ok(()))),
                FromWorker::Failed(error) => return Ok(Ended::Said(Err(error))),
                FromWorker::Idle => return Ok(Ended::Lost),
                request => self.ask(request),
            }
        }
    }

    /// Waits until the worker says, after the result, that nothing runs any more. False when it says something else.
    pub async fn until_idle(&mut self) -> bool {
        loop {
            match frame::receive(self.input, 0).await {
                Ok((FromWorker::Idle, _)) => return true,
                Ok((request @ (FromWorker::Scan(..) | FromWorker::More(_) | FromWorker::Cancel(_)), _)) => {
                    self.ask(request);
                }
                _ => return false,
            }
        }
    }

    fn ask(&self, request: FromWorker) {
        // Requests are taken for as long as this is polled.
        let _ = self.requests.send(request);
    }
}

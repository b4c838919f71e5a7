//! The rows of a result, from the worker to the client.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::sync::mpsc;

use super::{Client, Ended};
use crate::batch::ReadError;
use crate::budget::{BatchRoom, ResultRoom};
use crate::query::sql::deadline::Deadline;
use crate::query::sql::process::Progress;
use crate::query::sql::wire::{FromWorker, LARGEST_ROWS, decode, frame};

/// How long a result may wait for room that others hold.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is left of the time of a query that waits for room, so that it is told why there is no result.
const MARGIN: Duration = Duration::from_millis(100);

/// Passes on what a worker says.
pub struct Results<'a, I> {
    /// What it says.
    pub input: &'a mut I,
    /// Where requests for rows of the store go.
    pub requests: mpsc::UnboundedSender<FromWorker>,
    /// Room for its rows until they are encoded.
    pub room: ResultRoom,
    /// When the result has to be complete.
    pub deadline: Deadline,
    /// Told when it waits for the client alone.
    pub progress: &'a Progress,
    /// Whether the client, or room for its rows, is what the query waits for.
    pub client_waits: &'a AtomicBool,
    /// Rows that the result may have.
    pub max_rows: usize,
}

impl<I: AsyncRead + Unpin> Results<'_, I> {
    /// Passes everything on until the worker says that the result has ended, or a limit is hit.
    pub async fn pass_on(&mut self, client: &mut Client) -> Result<Ended, ReadError> {
        let mut left = self.max_rows;
        loop {
            let Ok(announced) = frame::announced(self.input, LARGEST_ROWS).await else { return Ok(Ended::Lost) };
            // What is decoded lies in the bytes that were received.
            let room = if announced.rows > 0 { Some(self.room_for(announced.rows).await?) } else { None };
            let Ok((message, rows)) = frame::receive_rest(self.input, announced).await else { return Ok(Ended::Lost) };
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
                    self.progress
                        .wait_for_client(client.batches.send(Ok((rows, room))))
                        .await
                        .map_err(|_| ReadError::Stopping)?;
                    self.client_waits.store(false, Ordering::Relaxed);
                }
                FromWorker::Done => return Ok(Ended::Said(Ok(()))),
                FromWorker::Failed(error) => return Ok(Ended::Said(Err(error))),
                FromWorker::Idle => return Ok(Ended::Lost),
                request => self.ask(request),
            }
        }
    }

    /// Room for `rows` bytes, waiting for it.
    async fn room_for(&mut self, rows: usize) -> Result<BatchRoom, ReadError> {
        let rows = rows as u64;
        if let Some(room) = self.room.try_take(rows) {
            return Ok(room);
        }
        self.client_waits.store(true, Ordering::Relaxed);
        let own = self.room.own(rows, self.deadline.remaining() + MARGIN);
        let own = self.progress.wait_for_client(own).await.map_err(|_| ReadError::NoMemory)?;
        let patience = PATIENCE.min(self.deadline.remaining().saturating_sub(MARGIN));
        let room = self.room.shared(own, rows, patience).await.map_err(|_| ReadError::NoMemory)?;
        self.client_waits.store(false, Ordering::Relaxed);
        Ok(room)
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

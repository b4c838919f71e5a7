//! Where imported rows go.

use std::time::Duration;

use arrow::record_batch::RecordBatch;
use bytes::{Bytes, BytesMut};
use futures::{TryStreamExt, stream};
use reqwest::Url;

use crate::batch::{BatchSender, BatchStream, Stored, WriteError};
use crate::cli::client::Remote;
use crate::cli::database::DatabaseError;
use crate::config::Settings;
use crate::encode::{self, Format};
use crate::store::Store;
use crate::tables::Table;

/// How long to wait for the writer when its queue is full.
const PAUSE: Duration = Duration::from_millis(20);

/// The end of an import.
pub(super) enum Sink {
    /// A server that has the database open.
    Server(Remote),
    /// The database itself.
    Store(Box<Store>, BatchSender),
    /// Nowhere: rows are only looked at.
    Nowhere,
}

impl Sink {
    /// The server that was named or that has the database open, else the file, which is made when there is none.
    pub fn open(server: Option<Url>, settings: &Settings, dry_run: bool) -> Result<Self, DatabaseError> {
        if dry_run {
            return Ok(Self::Nowhere);
        }
        if let Some(server) = Remote::find(server, settings)? {
            return Ok(Self::Server(server));
        }
        let store = Store::open(&settings.store)?;
        let batches = store.batches();
        Ok(Self::Store(Box::new(store), batches))
    }

    /// Stores rows, all of them or none, and returns when they are safe.
    pub async fn store(&self, table: &'static Table, rows: RecordBatch) -> Result<Stored, DatabaseError> {
        match self {
            Self::Nowhere => Ok(Stored::default()),
            Self::Server(server) => Ok(server.ingest(table, stream_of(rows).await?).await?),
            Self::Store(_, batches) => loop {
                match batches.commit(table, vec![rows.clone()]).await {
                    Err(WriteError::Busy) => tokio::time::sleep(PAUSE).await,
                    outcome => return Ok(outcome?),
                }
            },
        }
    }

    /// Which database the rows go to, where it is known.
    pub async fn database(&self) -> Result<Option<String>, DatabaseError> {
        match self {
            Self::Server(server) => Ok(server.database().await?),
            Self::Store(store, _) => Ok(Some(store.identity().database.clone())),
            Self::Nowhere => Ok(None),
        }
    }

    /// Closes the database, if it was opened here.
    pub async fn close(self) -> Result<(), DatabaseError> {
        match self {
            Self::Store(store, _) => Ok(store.close().await?),
            Self::Server(_) | Self::Nowhere => Ok(()),
        }
    }
}

async fn stream_of(rows: RecordBatch) -> Result<Bytes, DatabaseError> {
    let batches = BatchStream::new(rows.schema(), stream::iter([Ok(rows)]));
    let bytes = encode::encode(Format::Arrow, batches);
    let bytes = bytes.try_fold(BytesMut::new(), |mut whole, chunk| async move {
        whole.extend_from_slice(&chunk);
        Ok(whole)
    });
    Ok(bytes.await?.freeze())
}

//! From the text of a query to its result.

use std::sync::Arc;

use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::complexity;
use super::conversation::{Client, Conversation};
use super::deadline::Deadline;
use super::figures::{Stopped, Usage};
use super::parameters::Parameters;
use super::process::{Launcher, Workers};
use super::wire::Query;
use crate::batch::{BatchStream, ReadError};
use crate::config::QuerySettings;
use crate::store::Reader;

/// Batches between a query and the socket of its client.
const BATCHES_IN_FLIGHT: usize = 2;

/// Runs users' SQL.
pub struct Session {
    reader: Reader,
    settings: QuerySettings,
    workers: Arc<Workers>,
}

impl Session {
    /// Reads from `reader`, within `settings`. Cheap: nothing starts before the first query.
    pub fn new(reader: Reader, settings: QuerySettings) -> Self {
        let launcher = Launcher::Program(settings.program.clone());
        Self::with(launcher, reader, settings)
    }

    /// Runs queries in workers that `launcher` starts.
    pub(super) fn with(launcher: Launcher, reader: Reader, settings: QuerySettings) -> Self {
        let workers = Workers::new(launcher, &settings);
        Self { reader, settings, workers }
    }

    /// What runs now.
    pub fn usage(&self) -> Usage {
        self.workers.usage()
    }

    /// The queries that were stopped so far.
    pub fn stopped(&self) -> &Stopped {
        self.workers.stopped()
    }

    /// Runs one query in SQL and returns when its first rows are there. `parameters` is a list for `$1`, `$2`, …, an
    /// object for `$name`, or null.
    ///
    /// Dropping the result stops the query. What is wrong with the query, or hits a limit before the first rows, is an
    /// error here; what goes wrong later is an error in the result.
    pub async fn query(&self, sql: &str, parameters: serde_json::Value) -> Result<BatchStream, ReadError> {
        complexity::check_text(sql)?;
        Parameters::check(&parameters)?;
        let worker = self.workers.take().await?;
        let conversation = Conversation {
            worker,
            workers: self.workers.clone(),
            reader: self.reader.clone(),
            deadline: Deadline::after(self.settings.time_limit),
            max_rows: self.settings.max_rows,
        };
        let (opening, opened) = oneshot::channel();
        let (batches, received) = mpsc::channel(BATCHES_IN_FLIGHT);
        let abandoned = CancellationToken::new();
        let guard = abandoned.clone().drop_guard();
        let client = Client { opening: Some(opening), batches };
        tokio::spawn(conversation.run(Query { sql: sql.to_owned(), parameters }, client, abandoned));

        let opened = opened.await.map_err(|_| ReadError::Failed("a query ended without a result".to_owned()))?;
        let schema = opened.inspect_err(|error| self.workers.stopped().note(error))?;
        let workers = self.workers.clone();
        let stream = ReceiverStream::new(received).map(move |batch| {
            let _abandon_when_dropped = &guard;
            batch.inspect_err(|error| workers.stopped().note(error))
        });
        Ok(BatchStream::counted(schema, stream))
    }
}

//! The database of a command. A file is open in one process at a time: when a server has it, the server is asked, and
//! otherwise the file is opened here, for as long as the command takes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::batch::{ReadError, WriteError};
use crate::config::StoreSettings;
use crate::encode::Format;
use crate::query::QueryFileError;
use crate::store::{Store, StoreError, lock};
use crate::tables::Table;

/// How long a server may be too busy to take rows before the command gives up.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long to wait when it does not say.
const PAUSE: Duration = Duration::from_secs(1);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no file.
    #[error("there is no database at {}: name it with --database, or a server with --server", .0.display())]
    Missing(PathBuf),
    /// It is open in a server that cannot be asked.
    #[error("the database is open in process {0}, which does not answer questions yet: try again in a second")]
    NotListening(u32),
    /// The server could not be reached, or broke off.
    #[error("{server} cannot be asked: {source}")]
    Unreachable {
        /// Its address.
        server: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// The server said no.
    #[error("{0}")]
    Refused(String),
    /// A question gave no answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Rows were not stored.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file of queries.
    #[error(transparent)]
    Queries(#[from] QueryFileError),
}

/// A running server.
#[derive(Clone)]
pub(super) struct Remote {
    address: String,
    client: Client,
}

impl Remote {
    /// The server that was named, else the one that has the database at `path` open, if any has.
    pub fn find(named: Option<String>, path: &Path) -> Result<Option<Self>, DatabaseError> {
        let (address, client) = match (named, lock::holder(path)) {
            (Some(address), _) => (address, Client::new()),
            (None, Some(holder)) => {
                let address = holder.address.ok_or(DatabaseError::NotListening(holder.pid))?;
                // It runs on this machine: no proxy of the environment stands between.
                let client = Client::builder().no_proxy().build();
                let client = client.map_err(|source| DatabaseError::Unreachable { server: address.clone(), source })?;
                (address, client)
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(Self { address: address.trim_end_matches('/').to_owned(), client }))
    }

    /// A request to a path.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.address))
    }

    /// Sends a request, which has to succeed.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, DatabaseError> {
        let response = request.send().await.map_err(self.unreachable())?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    /// Stores rows, as an Arrow stream, and returns when they are safe. A server that is busy is given time.
    pub async fn ingest(&self, table: &Table, rows: Bytes) -> Result<(), DatabaseError> {
        let since = Instant::now();
        loop {
            let request = self.request(Method::POST, &format!("/api/ingest/{}", table.name));
            let request = request.header(CONTENT_TYPE, Format::Arrow.content_type()).body(rows.clone());
            let response = request.send().await.map_err(self.unreachable())?;
            let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&response.status());
            if response.status().is_success() {
                return Ok(());
            }
            if !busy || since.elapsed() > PATIENCE {
                return Err(self.refusal(response).await);
            }
            let pause = response.headers().get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse().ok());
            tokio::time::sleep(pause.map_or(PAUSE, Duration::from_secs)).await;
        }
    }

    /// The error of a connection that failed.
    pub fn unreachable(&self) -> impl Fn(reqwest::Error) -> DatabaseError + use<> {
        let server = self.address.clone();
        move |source| DatabaseError::Unreachable { server: server.clone(), source }
    }

    /// What the server said, in its own words.
    async fn refusal(&self, response: Response) -> DatabaseError {
        let status = response.status();
        match response.text().await {
            Ok(text) => {
                let said = detail(&text).unwrap_or_else(|| format!("{} answered {status}", self.address));
                DatabaseError::Refused(said)
            }
            Err(error) => self.unreachable()(error),
        }
    }
}

/// Opens the file, which must be there.
pub(super) fn open_existing(settings: &StoreSettings) -> Result<Store, DatabaseError> {
    if settings.path.exists() { Ok(Store::open(settings)?) } else { Err(DatabaseError::Missing(settings.path.clone())) }
}

/// The sentence in an error's body: `{"detail": "…"}`.
fn detail(body: &str) -> Option<String> {
    match serde_json::from_str::<Value>(body).ok()?.get("detail")? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

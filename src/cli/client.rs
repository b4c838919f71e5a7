//! The HTTP client of all commands: the server that was named, or the one that has the database open.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Certificate, Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, Url};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use crate::batch::Stored;
use crate::config::Settings;
use crate::encode::Format;
use crate::store::lock::{self, Holder, OperatorToken};
use crate::tables::Table;

/// How long a server may be too busy to take rows before the command gives up.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long to wait when it does not say.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The database is open in a server that cannot be asked.
    #[error("the database is open in process {0}, which does not listen yet: try again in a second")]
    NotListening(u32),
    /// The certificates to trust.
    #[error("ca-file {}: {reason}; a PEM file with certificates is needed", .path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The server could not be reached, or broke off.
    #[error("{server} cannot be asked: {source}")]
    Unreachable {
        /// Its address.
        server: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// What it sent ended before its time.
    #[error(
        "{server} broke off its answer ({source}): a limit may have been reached (rows of a query, --query-max-rows; \
         time; memory; a reader that stood still), or the server has ended; its log says why. Ask for less; whole \
         tables come with observability-api export"
    )]
    BrokenOff {
        /// Its address.
        server: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// Nobody whom this machine trusts vouches for the server.
    #[error("the certificate of {server} is not trusted: name the one that vouches for it with --ca-file ({source})")]
    Untrusted {
        /// Its address.
        server: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// The server said no.
    #[error("{0}")]
    Refused(String),
}

/// A running server.
#[derive(Clone)]
pub(super) struct Remote {
    address: String,
    client: Client,
    /// Shows that this is the operator, to the server that has the database.
    token: Option<OperatorToken>,
}

impl Remote {
    /// The server that was named, else the one that has the database of `settings` open, if any has.
    pub fn find(named: Option<Url>, settings: &Settings) -> Result<Option<Self>, ClientError> {
        match named {
            Some(address) => Self::named(address, settings.client.ca_file.as_deref()).map(Some),
            None => Self::with_database(&settings.store.path),
        }
    }

    /// The server that has a database open, if any has.
    pub fn with_database(path: &Path) -> Result<Option<Self>, ClientError> {
        lock::holder(path).map(Self::of).transpose()
    }

    /// The process that holds the lock, and listens on this machine. That is what tells who it is: no proxy of the
    /// environment stands between, and its certificate is for the names that other machines know it by.
    fn of(holder: Holder) -> Result<Self, ClientError> {
        let address = holder.address.ok_or(ClientError::NotListening(holder.pid))?;
        let client = Client::builder().no_proxy().danger_accept_invalid_certs(true);
        Self::new(address, client, Some(holder.token))
    }

    /// A server for whose certificate `ca_file` vouches; without a file, this machine.
    fn named(address: Url, ca_file: Option<&Path>) -> Result<Self, ClientError> {
        let mut client = Client::builder();
        if address.scheme() == "https" {
            client = client.tls_built_in_root_certs(false);
            for certificate in trusted(ca_file)? {
                client = client.add_root_certificate(certificate);
            }
        }
        Self::new(address.into(), client, None)
    }

    fn new(address: String, client: ClientBuilder, token: Option<OperatorToken>) -> Result<Self, ClientError> {
        let address = address.trim_end_matches('/').to_owned();
        let client = client.build().map_err(|source| ClientError::Unreachable { server: address.clone(), source })?;
        Ok(Self { address, client, token })
    }

    /// A request to a path.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.address))
    }

    /// A request for something that only the operator may do.
    pub fn order(&self, path: &str) -> RequestBuilder {
        let request = self.request(Method::POST, path);
        match &self.token {
            Some(token) => request.bearer_auth(token.as_str()),
            None => request,
        }
    }

    /// Sends a request, which has to succeed.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(self.unreachable())?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    /// Stores rows, as an Arrow stream, and returns when they are safe. A server that is busy is given time.
    pub async fn ingest(&self, table: &Table, rows: Bytes) -> Result<Stored, ClientError> {
        let since = Instant::now();
        loop {
            let request = self.request(Method::POST, &format!("/api/ingest/{}", table.name));
            let request = request.header(CONTENT_TYPE, Format::Arrow.content_type()).body(rows.clone());
            let response = request.send().await.map_err(self.unreachable())?;
            let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&response.status());
            if response.status().is_success() {
                // They are safe, whatever else it says.
                let answer: Value = response.json().await.unwrap_or_default();
                let of_dropped_days = answer.get("rows_of_dropped_days").and_then(Value::as_u64).unwrap_or(0);
                return Ok(Stored { of_dropped_days: usize::try_from(of_dropped_days).unwrap_or(usize::MAX) });
            }
            if !busy || since.elapsed() > PATIENCE {
                return Err(self.refusal(response).await);
            }
            let pause = response.headers().get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse().ok());
            tokio::time::sleep(pause.map_or(PAUSE, Duration::from_secs)).await;
        }
    }

    /// Which database the server has; `None` for a server that does not say.
    pub async fn database(&self) -> Result<Option<String>, ClientError> {
        let response = self.send(self.request(Method::GET, "/metrics")).await?;
        let text = response.text().await.map_err(self.unreachable())?;
        let line = text.lines().find_map(|line| line.strip_prefix("observability_database_info{identity=\""));
        Ok(line.and_then(|rest| rest.split('"').next()).map(str::to_owned))
    }

    /// The error of a connection that failed.
    pub fn unreachable(&self) -> impl Fn(reqwest::Error) -> ClientError + use<> {
        let server = self.address.clone();
        move |source| {
            let server = server.clone();
            if is_distrust(&source) {
                ClientError::Untrusted { server, source }
            } else {
                ClientError::Unreachable { server, source }
            }
        }
    }

    /// The error of an answer that has begun and does not end as it should.
    pub fn broken_off(&self) -> impl Fn(reqwest::Error) -> ClientError + use<> {
        let server = self.address.clone();
        move |source| ClientError::BrokenOff { server: server.clone(), source }
    }

    /// What the server said, in its own words.
    async fn refusal(&self, response: Response) -> ClientError {
        let status = response.status();
        match response.text().await {
            Ok(text) => {
                let said = detail(&text).unwrap_or_else(|| format!("{} answered {status}", self.address));
                ClientError::Refused(said)
            }
            Err(error) => self.unreachable()(error),
        }
    }
}

/// Whose certificates are trusted.
fn trusted(ca_file: Option<&Path>) -> Result<Vec<Certificate>, ClientError> {
    let Some(path) = ca_file else {
        let found = rustls_native_certs::load_native_certs().certs;
        // One that the library cannot read must not stand in the way of the others.
        let usable = found.into_iter().filter(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
        return Ok(usable.filter_map(|certificate| Certificate::from_der(&certificate).ok()).collect());
    };
    let refused = |reason: String| ClientError::CaFile { path: path.to_owned(), reason };
    let mut trusted = Vec::new();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))? {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        RootCertStore::empty().add(certificate.clone()).map_err(|error| refused(error.to_string()))?;
        trusted.push(Certificate::from_der(&certificate).map_err(|error| refused(error.to_string()))?);
    }
    if trusted.is_empty() { Err(refused("no certificate in it".into())) } else { Ok(trusted) }
}

/// Whether it is the certificate that a connection failed over.
fn is_distrust(error: &reqwest::Error) -> bool {
    let first: &(dyn std::error::Error + 'static) = error;
    let mut causes = std::iter::successors(Some(first), |cause| cause.source());
    error.is_connect() && causes.any(|cause| cause.to_string().contains("invalid peer certificate"))
}

/// The sentence in an error's body: `{"detail": "…"}`.
fn detail(body: &str) -> Option<String> {
    match serde_json::from_str::<Value>(body).ok()?.get("detail")? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

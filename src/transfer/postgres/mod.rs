//! Tables of a PostgreSQL server, TimescaleDB's among them, in the order of time.
//!
//! `tls` says whom to trust, `table` reads rows through a cursor, `cells` understands their types.

mod cells;
mod table;
mod tls;

use std::path::{Path, PathBuf};

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};

pub use table::{Bounds, SourceTable, TableReader};

/// Why a server's rows cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The address cannot be read.
    #[error("--url is not understood: it looks like postgres://user:password@host:5432/database")]
    Url(#[source] tokio_postgres::Error),
    /// The server does not let us in.
    #[error("{server} cannot be reached")]
    Connect {
        /// Its name.
        server: String,
        /// What went wrong.
        source: tokio_postgres::Error,
    },
    /// The certificates to trust.
    #[error("the certificates of {} cannot be used: {reason}", .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS itself.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The server has no such table.
    #[error("{server} has no table {table}: name those it has with --tables, or where they are with --schema")]
    NoTable {
        /// Its name.
        server: String,
        /// The table.
        table: String,
    },
    /// A time column of a type that has no order in time.
    #[error("column {column} of {table} is of type {kind}: only timestamp and timestamptz can be read in order")]
    TimeKind {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        kind: String,
    },
    /// A statement failed, or the connection broke.
    #[error("{server} broke off")]
    Query {
        /// Its name.
        server: String,
        /// What went wrong.
        source: tokio_postgres::Error,
    },
}

/// A connection to a server.
pub struct Server {
    client: Client,
    name: String,
}

/// Connects to the server of a URL. With `sslmode=require` the connection is encrypted and the server has to show a
/// certificate that one of `roots` (a PEM file), or of this machine's own, vouches for; else it is not encrypted.
pub async fn connect(url: &str, roots: Option<&Path>) -> Result<Server, PostgresError> {
    let mut config: Config = url.parse().map_err(PostgresError::Url)?;
    if config.get_application_name().is_none() {
        config.application_name("observability-api import");
    }
    if config.get_password().is_none()
        && let Ok(password) = std::env::var("PGPASSWORD")
    {
        config.password(password);
    }
    let name = name(&config);
    let failed = |source| PostgresError::Connect { server: name.clone(), source };
    let client = if config.get_ssl_mode() == SslMode::Require {
        let (client, connection) = config.connect(tls::connector(roots)?).await.map_err(failed)?;
        tokio::spawn(connection);
        client
    } else {
        let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
        tokio::spawn(connection);
        client
    };
    Ok(Server { client, name })
}

impl Server {
    /// Where it is and which database it is, without user and password.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn broke_off(&self) -> impl Fn(tokio_postgres::Error) -> PostgresError + use<> {
        let server = self.name.clone();
        move |source| PostgresError::Query { server: server.clone(), source }
    }
}

fn name(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5_432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{host}:{port}/{database}")
}

//! `observability-api query "SELECT …"`: one question, answered on the terminal or into a file.
//!
//! `remote` asks the server that has the database open, where one has; `output` shows the answer.

mod output;
mod remote;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use reqwest::Url;

use crate::batch::ReadError;
use crate::cli::argument::server;
use crate::cli::client::Remote;
use crate::cli::database::{self, DatabaseError};
use crate::cli::output::OutputError;
use crate::config::Settings;
use crate::encode::Format;
use crate::query::{NamedQueries, Queries};
use output::Output;

/// One question and what to do with its answer.
#[derive(Debug, Clone, Args)]
pub struct QueryArguments {
    /// The question: SELECT, WITH, EXPLAIN, SHOW TABLES or DESCRIBE over market_data, strategy_metrics,
    /// execution_metrics, system_metrics and trades
    #[arg(value_name = "SQL")]
    pub sql: String,
    /// Form of the answer [default: table on a terminal, else what the name of --output says, else json]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<OutputFormat>,
    /// File to write the answer to
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Values of placeholders: '["AAPL", 100]' for $1 and $2, or '{"symbol": "AAPL"}' for $symbol
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub params: Option<serde_json::Value>,
    /// Server to ask, http://127.0.0.1:8000 for instance [default: the server that has the database open, if any]
    #[arg(long, value_name = "URL", value_parser = server)]
    pub server: Option<Url>,
}

/// Form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Aligned columns, for reading
    Table,
    /// A JSON array of objects
    Json,
    /// Comma-separated values with a header line
    Csv,
    /// One JSON object a line
    Ndjson,
    /// Arrow IPC: a file where the name says so (.arrow, .feather, .ipc), else a stream
    Arrow,
    /// Parquet file
    Parquet,
}

impl OutputFormat {
    /// The encoding, where there is one.
    fn encoding(self) -> Option<Format> {
        match self {
            Self::Table => None,
            Self::Json => Some(Format::Json),
            Self::Csv => Some(Format::Csv),
            Self::Ndjson => Some(Format::Ndjson),
            Self::Arrow => Some(Format::Arrow),
            Self::Parquet => Some(Format::Parquet),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The database, or the server that has it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The question, or its execution.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The answer could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Answers one question with the database of `settings`, or with the server that has it open.
pub async fn run(arguments: QueryArguments, settings: Settings) -> Result<(), QueryError> {
    let output = Output::new(arguments.format, arguments.output)?;
    let params = arguments.params.unwrap_or_default();
    if let Some(server) = Remote::find(arguments.server, &settings).map_err(DatabaseError::from)? {
        return remote::ask(&server, &arguments.sql, &params, output).await;
    }
    let store = database::open_existing(&settings.store)?;
    let queries = Queries::new(store.reader(), Arc::new(NamedQueries::new(None)), &settings.query);
    let result = match queries.sql(&arguments.sql, params).await {
        Ok(answer) => match output.form() {
            Some(form) => output.write(form.encode(answer)).await,
            None => output.table(answer).await,
        },
        Err(error) => Err(error.into()),
    };
    store.close().await.map_err(DatabaseError::from)?;
    result
}

fn json(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))
}

//! `observability-api export market_data --from 2025-10-01 --output october.parquet`: the rows of a table, whole.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use futures::{Stream, StreamExt, TryStreamExt};
use indicatif::HumanBytes;
use reqwest::{Method, Url};

use super::argument::{first_instant, label, last_instant, server, table};
use super::client::Remote;
use super::database::{self, DatabaseError};
use super::form::Form;
use super::output::{OutputError, Target};
use super::progress::{Progress, say};
use crate::config::Settings;
use crate::encode::Format;
use crate::query::{Export, NamedQueries, Queries, Window};
use crate::tables::Table;
use crate::time::{self, Micros, format_naive};
use crate::transfer::FileFormat;

/// Which rows, and where they go.
#[derive(Debug, Clone, Args)]
pub struct ExportArguments {
    /// market_data, strategy_metrics, execution_metrics, system_metrics or trades
    #[arg(value_name = "TABLE", value_parser = table)]
    pub table: &'static Table,
    /// First instant, ISO 8601, UTC unless it has an offset [default: that of the oldest row]
    #[arg(long, value_name = "TIME", value_parser = first_instant)]
    pub from: Option<Micros>,
    /// Last instant, inclusive; a date alone is the whole day [default: that of the newest row]
    #[arg(long, value_name = "TIME", value_parser = last_instant)]
    pub to: Option<Micros>,
    /// Only the rows of this symbol or, for strategy_metrics, of this strategy
    #[arg(long, value_name = "NAME", value_parser = label)]
    pub label: Option<String>,
    /// Form of the rows [default: what the name of --output says, else csv]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<FileFormat>,
    /// File to write to; - is the standard output, and so is none
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Server to ask, http://127.0.0.1:8000 for instance [default: the server that has the database open, if any]
    #[arg(long, value_name = "URL", value_parser = server)]
    pub server: Option<Url>,
}

/// Why rows were not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database, or the server that has it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Where the rows should go.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The table has one series only.
    #[error("--label {label}: {table} has no labels, leave it out")]
    NoLabel {
        /// What was asked for.
        label: String,
        /// The table.
        table: &'static str,
    },
}

/// Writes the rows.
pub async fn run(arguments: ExportArguments, settings: Settings) -> Result<(), ExportError> {
    let table = arguments.table;
    if let (Some(label), None) = (&arguments.label, table.label) {
        return Err(ExportError::NoLabel { label: label.clone(), table: table.name });
    }
    let target = Target::new(arguments.output.clone());
    let form = Form::of(arguments.format.map(encoding), &target, Format::Csv)?;
    match form.format() {
        Format::Arrow if target.is_terminal() => return Err(OutputError::BinaryOnTerminal("Arrow").into()),
        Format::Parquet if target.is_terminal() => return Err(OutputError::BinaryOnTerminal("Parquet").into()),
        _ => {}
    }
    if let Some(server) = Remote::find(arguments.server.clone(), &settings).map_err(DatabaseError::from)? {
        let request = server.request(Method::GET, &path(&arguments, form.format()));
        let answer = server.send(request).await.map_err(DatabaseError::from)?;
        let broken_off = server.broken_off();
        let answer = answer.bytes_stream().map_err(move |source| DatabaseError::from(broken_off(source)));
        return write(&arguments, form.take(answer).await?, target).await;
    }
    let store = database::open_existing(&settings.store)?;
    let queries = Queries::new(store.reader(), Arc::new(NamedQueries::new(None)), &settings.query);
    let window = Window { start: arguments.from.unwrap_or(time::FIRST), end: arguments.to.unwrap_or(time::LAST) };
    let export = Export { table, window, label: arguments.label.clone() };
    let result = match queries.export(export).await {
        Ok(rows) => {
            let bytes = form.encode(rows).map_err(DatabaseError::from);
            write(&arguments, bytes, target).await
        }
        Err(error) => Err(DatabaseError::from(error).into()),
    };
    store.close().await.map_err(DatabaseError::from)?;
    result
}

fn path(arguments: &ExportArguments, format: Format) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("format", format.name());
    for (name, instant) in [("start", arguments.from), ("end", arguments.to)] {
        instant.map(|instant| query.append_pair(name, &format_naive(instant)));
    }
    if let (Some(column), Some(label)) = (arguments.table.label, &arguments.label) {
        query.append_pair(column, label);
    }
    format!("/api/export/{}?{}", arguments.table.name, query.finish())
}

async fn write(
    arguments: &ExportArguments,
    bytes: impl Stream<Item = Result<bytes::Bytes, DatabaseError>>,
    target: Target,
) -> Result<(), ExportError> {
    // Rows that scroll by are progress enough.
    let progress = (!target.is_terminal()).then(|| Progress::bytes(None, arguments.table.name));
    let begun = Instant::now();
    let mut written = 0;
    let counted = bytes.map(|chunk| {
        let chunk = chunk?;
        written += chunk.len() as u64;
        progress.iter().for_each(|progress| progress.at(written));
        Ok::<_, ExportError>(chunk)
    });
    let outcome = target.write(counted, false).await;
    progress.iter().for_each(Progress::end);
    outcome?;
    if let Some(path) = target.file() {
        let seconds = begun.elapsed().as_secs_f64();
        let table = arguments.table.name;
        say(format_args!("{}: {} of {table} in {seconds:.1} s", path.display(), HumanBytes(written)));
    }
    Ok(())
}

fn encoding(format: FileFormat) -> Format {
    match format {
        FileFormat::Csv => Format::Csv,
        FileFormat::Ndjson => Format::Ndjson,
        FileFormat::Arrow => Format::Arrow,
        FileFormat::Parquet => Format::Parquet,
    }
}

//! The command line.
//!
//! * `options` names every setting once: flag, environment variable, key of the file.
//! * `value` says what a value looks like as text.
//! * `file` reads the TOML file; `resolve` lays flags and environment over it and checks the whole.
//! * `serve` runs the server; [`query`](mod@query) asks one question; [`backup`](mod@backup) saves the database and
//!   brings it back; [`upkeep`] moves and drops old days; [`export`](mod@export) and [`import`](mod@import) move whole
//!   tables.
//! * `sql_worker` is what the server starts for users' SQL.
//! * `argument` says how their arguments are written, `database` finds the database, `client` asks the server that has
//!   it and `arrow` reads its rows; `form` is how rows are written, `output` and `progress` talk to the terminal.

mod argument;
mod arrow;
pub mod backup;
mod client;
mod database;
mod days;
mod error;
pub mod export;
mod file;
mod form;
pub mod import;
mod options;
mod output;
mod progress;
pub mod query;
mod resolve;
mod serve;
mod sql_worker;
pub mod upkeep;
mod value;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

pub use error::{Failure, Unusable};
pub use serve::serve;
pub use sql_worker::run_sql_worker;

use crate::config::{LogSettings, Settings};
use crate::query::worker::Allowance;
use options::{ArchiveOptions, ClientOptions, Options, QueryOptions, RetentionOptions, StoreOptions};

/// What the command line asks for, with the settings to do it.
#[derive(Debug)]
pub enum Invocation {
    /// Run the server.
    Serve(Settings),
    /// Run users' SQL for a server.
    SqlWorker(Allowance),
    /// Ask one question.
    Query(query::QueryArguments, Settings),
    /// Take or list backups.
    Backup(backup::BackupArguments, Settings),
    /// Make a database of a backup.
    Restore(backup::RestoreArguments, Settings),
    /// Move old days into the archive, or drop older ones.
    Upkeep(upkeep::Work, Settings),
    /// Write the rows of a table.
    Export(export::ExportArguments, Settings),
    /// Store the rows of files.
    Import(import::ImportArguments, Settings),
    /// Store the rows of another server.
    ImportTimescale(import::timescaledb::TimescaleArguments, Settings),
}

/// Observability server of an algorithmic trading desk.
///
/// Collects market, strategy, execution and system metrics, keeps them in one DuckDB file, and serves them as JSON,
/// Arrow, Parquet and CSV over HTTP, and live over a WebSocket.
///
/// A setting is taken from the command line, else from the environment, else from the TOML file, else from its default.
#[derive(Debug, Parser)]
#[command(name = "observability-api", version, args_conflicts_with_subcommands = true, max_term_width = 110)]
struct CommandLine {
    #[command(flatten)]
    serve: ServeArguments,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server; also what happens when no command is given
    Serve(Box<ServeArguments>),
    /// Ask one SQL question and print the answer
    Query(Box<QueryCommand>),
    /// Save the whole database as Parquet, also while the server runs
    Backup(Box<StoreCommand<backup::BackupArguments>>),
    /// Make a database of a backup; nothing is overwritten
    Restore(Box<StoreCommand<backup::RestoreArguments>>),
    /// Move days that are older than the hot window from the database to the archive; the server does so once a day
    Archive(Box<StoreCommand<upkeep::ArchiveArguments>>),
    /// Drop days that are older than they are to be kept; the server does so once a day
    Retention(Box<StoreCommand<upkeep::UpkeepArguments>>),
    /// Write the rows of a table, of any span of time, as CSV, NDJSON, Arrow or Parquet
    Export(Box<StoreCommand<export::ExportArguments>>),
    /// Store the rows of files, or of a TimescaleDB server
    Import(Box<ImportCommand>),
}

#[derive(Debug, Args)]
struct ServeArguments {
    #[command(flatten)]
    file: FileArgument,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
struct QueryCommand {
    #[command(flatten)]
    arguments: query::QueryArguments,
    #[command(flatten)]
    file: FileArgument,
    #[command(flatten)]
    store: StoreOptions,
    #[command(flatten)]
    archive: ArchiveOptions,
    #[command(flatten)]
    query: QueryOptions,
    #[command(flatten)]
    client: ClientOptions,
}

/// A command that works on the database file.
#[derive(Debug, Args)]
struct StoreCommand<A: Args> {
    #[command(flatten)]
    arguments: A,
    #[command(flatten)]
    file: FileArgument,
    #[command(flatten)]
    store: StoreOptions,
    #[command(flatten)]
    archive: ArchiveOptions,
    #[command(flatten)]
    retention: RetentionOptions,
    #[command(flatten)]
    client: ClientOptions,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct ImportCommand {
    #[command(flatten)]
    command: StoreCommand<import::ImportArguments>,
    #[command(subcommand)]
    from: Option<ImportFrom>,
}

#[derive(Debug, Subcommand)]
enum ImportFrom {
    /// Copy the tables of a TimescaleDB or other PostgreSQL server
    Timescaledb(Box<StoreCommand<import::timescaledb::TimescaleArguments>>),
}

#[derive(Debug, Args)]
struct FileArgument {
    /// TOML file with settings [default: observability.toml, if there is one]
    #[arg(long, env = "OBSERVABILITY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Reads the command line, the environment and the settings file.
///
/// Asking for help or for the version is an [`Unusable`] too: its explanation is the text asked for.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, Unusable> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match sql_worker::read(&arguments) {
        Some(allowance) => Ok(Invocation::SqlWorker(allowance)),
        None => read(definition(), arguments),
    }
}

fn read(mut command: clap::Command, arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, Unusable> {
    // Whole, subcommands included: an argument that is not built cannot be written down in an error.
    command.build();
    let parsed = command
        .try_get_matches_from_mut(arguments)
        .and_then(|matches| CommandLine::from_arg_matches(&matches))
        .map_err(|error| name_the_variable(error, &command))?;
    match parsed.command {
        None => serve_invocation(parsed.serve),
        Some(Command::Serve(arguments)) => serve_invocation(*arguments),
        Some(Command::Query(command)) => query_invocation(*command),
        Some(Command::Backup(command)) => store_invocation(*command, Invocation::Backup),
        Some(Command::Restore(command)) => store_invocation(*command, Invocation::Restore),
        Some(Command::Archive(command)) => store_invocation(*command, |arguments, settings| {
            Invocation::Upkeep(upkeep::Work::Archive(arguments), settings)
        }),
        Some(Command::Retention(command)) => store_invocation(*command, |arguments, settings| {
            Invocation::Upkeep(upkeep::Work::Retention(arguments), settings)
        }),
        Some(Command::Export(command)) => store_invocation(*command, Invocation::Export),
        Some(Command::Import(command)) => match command.from {
            None => store_invocation(command.command, Invocation::Import),
            Some(ImportFrom::Timescaledb(command)) => store_invocation(*command, Invocation::ImportTimescale),
        },
    }
}

/// Runs a command that ends by itself.
pub fn run<E>(log: &LogSettings, command: impl Future<Output = Result<(), E>>) -> Result<(), Failure>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let _log = crate::log::start(log).map_err(Failure::new)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::new)?;
    let ended = runtime.block_on(command).map_err(Failure::new);
    // A thread may still wait for an input that nobody needs any more.
    runtime.shutdown_background();
    ended
}

/// What a command has done, for whoever gave it.
fn say(text: &str) {
    // It is done, whoever still listens.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn serve_invocation(arguments: ServeArguments) -> Result<Invocation, Unusable> {
    let from_file = file::read(arguments.file.config)?;
    Ok(Invocation::Serve(resolve::resolve(arguments.options, from_file)?))
}

fn query_invocation(command: QueryCommand) -> Result<Invocation, Unusable> {
    let from_file = file::read(command.file.config)?;
    let options = Options {
        store: command.store,
        archive: command.archive,
        query: command.query,
        client: command.client,
        ..Options::default()
    };
    Ok(Invocation::Query(command.arguments, quiet(resolve::resolve(options, from_file)?)))
}

fn store_invocation<A: Args>(
    command: StoreCommand<A>,
    invocation: impl FnOnce(A, Settings) -> Invocation,
) -> Result<Invocation, Unusable> {
    let StoreCommand { arguments, file, store, archive, retention, client } = command;
    let from_file = file::read(file.config)?;
    let options = Options { store, archive, retention, client, ..Options::default() };
    Ok(invocation(arguments, quiet(resolve::resolve(options, from_file)?)))
}

/// The answer is the output: only what went wrong belongs beside it, and the log file is the server's.
fn quiet(settings: Settings) -> Settings {
    Settings { log: LogSettings { level: "warn".into(), directory: None }, ..settings }
}

fn definition() -> clap::Command {
    // A variable's value may be long, and -1 is a value to be refused with the name of its setting, not an unknown flag.
    let all = |arg: clap::Arg| arg.hide_env_values(true).allow_negative_numbers(true);
    let below = |command: clap::Command| command.mut_args(all).mut_subcommands(|command| command.mut_args(all));
    CommandLine::command().mut_args(all).mut_subcommands(below)
}

/// A refused value that came from the environment is named by its variable, not only by its flag.
fn name_the_variable(mut error: clap::Error, command: &clap::Command) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let (Some(name), Some(value)) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue)) else {
        return error;
    };
    let variable = std::iter::once(command)
        .chain(command.get_subcommands().flat_map(|below| std::iter::once(below).chain(below.get_subcommands())))
        .flat_map(clap::Command::get_arguments)
        .find(|arg| arg.to_string() == name)
        .and_then(clap::Arg::get_env)
        .filter(|variable| std::env::var_os(variable).is_some_and(|found| found == value.as_str()));
    if let Some(variable) = variable {
        let tip = format!("the value is that of the environment variable {}", variable.to_string_lossy());
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

#[cfg(test)]
mod tests;

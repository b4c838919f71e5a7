//! The command line.
//!
//! * `options` names every setting once: flag, environment variable, key of the file.
//! * `value` says what a value looks like as text.
//! * `file` reads the TOML file; `resolve` lays flags and environment over it and checks the whole.
//! * `serve` runs the server; [`query`](mod@query) asks one question; [`export`](mod@export) and [`import`](mod@import)
//!   move whole tables.
//! * `argument` says how their arguments are written, `database` finds the database, `output` and `progress` talk to the
//!   terminal.

mod argument;
mod database;
mod error;
pub mod export;
mod file;
pub mod import;
mod options;
mod output;
mod progress;
pub mod query;
mod resolve;
mod serve;
mod value;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

pub use error::{Failure, Unusable};
pub use serve::serve;

use crate::config::{LogSettings, Settings};
use options::{Options, QueryOptions, StoreOptions};

/// What the command line asks for, with the settings to do it.
#[derive(Debug)]
pub enum Invocation {
    /// Run the server.
    Serve(Settings),
    /// Ask one question.
    Query(query::QueryArguments, Settings),
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
    /// Write the rows of a table, of any span of time, as CSV, NDJSON, Arrow or Parquet
    Export(Box<ExportCommand>),
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
    query: QueryOptions,
}

#[derive(Debug, Args)]
struct ExportCommand {
    #[command(flatten)]
    arguments: export::ExportArguments,
    #[command(flatten)]
    file: FileArgument,
    #[command(flatten)]
    store: StoreOptions,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct ImportCommand {
    #[command(flatten)]
    arguments: import::ImportArguments,
    #[command(flatten)]
    file: FileArgument,
    #[command(flatten)]
    store: StoreOptions,
    #[command(subcommand)]
    from: Option<ImportFrom>,
}

#[derive(Debug, Subcommand)]
enum ImportFrom {
    /// Copy the tables of a TimescaleDB or other PostgreSQL server
    Timescaledb(Box<TimescaleCommand>),
}

#[derive(Debug, Args)]
struct TimescaleCommand {
    #[command(flatten)]
    arguments: import::timescaledb::TimescaleArguments,
    #[command(flatten)]
    file: FileArgument,
    #[command(flatten)]
    store: StoreOptions,
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
    read(definition(), arguments)
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
        Some(Command::Export(command)) => {
            Ok(Invocation::Export(command.arguments, command_settings(command.file, command.store)?))
        }
        Some(Command::Import(command)) => match command.from {
            None => Ok(Invocation::Import(command.arguments, command_settings(command.file, command.store)?)),
            Some(ImportFrom::Timescaledb(command)) => {
                Ok(Invocation::ImportTimescale(command.arguments, command_settings(command.file, command.store)?))
            }
        },
    }
}

/// Answers one question on the terminal.
pub fn query(arguments: query::QueryArguments, settings: Settings) -> Result<(), Failure> {
    run(settings, |settings| query::run(arguments, settings))
}

/// Writes the rows of a table.
pub fn export(arguments: export::ExportArguments, settings: Settings) -> Result<(), Failure> {
    run(settings, |settings| export::run(arguments, settings))
}

/// Stores the rows of files.
pub fn import(arguments: import::ImportArguments, settings: Settings) -> Result<(), Failure> {
    run(settings, |settings| import::run(arguments, settings))
}

/// Stores the rows of another server.
pub fn import_timescale(arguments: import::timescaledb::TimescaleArguments, settings: Settings) -> Result<(), Failure> {
    run(settings, |settings| import::timescaledb::run(arguments, settings))
}

/// Runs a command to its end.
fn run<F, E>(settings: Settings, command: impl FnOnce(Settings) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    let _log = crate::log::start(&settings.log).map_err(Failure::new)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::new)?;
    let ended = runtime.block_on(command(settings)).map_err(Failure::new);
    // A thread may still wait for an input that nobody needs any more.
    runtime.shutdown_background();
    ended
}

fn serve_invocation(arguments: ServeArguments) -> Result<Invocation, Unusable> {
    let from_file = file::read(arguments.file.config)?;
    Ok(Invocation::Serve(resolve::resolve(arguments.options, from_file)?))
}

fn query_invocation(command: QueryCommand) -> Result<Invocation, Unusable> {
    let options = Options { store: command.store, query: command.query, ..Options::default() };
    Ok(Invocation::Query(command.arguments, quiet_settings(command.file, options)?))
}

fn command_settings(file: FileArgument, store: StoreOptions) -> Result<Settings, Unusable> {
    quiet_settings(file, Options { store, ..Options::default() })
}

/// The settings of a command whose output is its answer: only what went wrong belongs beside it, and the log file is the
/// server's.
fn quiet_settings(file: FileArgument, options: Options) -> Result<Settings, Unusable> {
    let mut settings = resolve::resolve(options, file::read(file.config)?)?;
    settings.log = LogSettings { level: "warn".into(), directory: None };
    Ok(settings)
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

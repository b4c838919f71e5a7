//! `observability-api import timescaledb --url postgres://…`: the tables of another server.
//!
//! Each table is read through a cursor in the order of time, and what is stored is written down in `state`: an import
//! that was interrupted goes on from there. It goes on with the whole of the last instant, whose rows replace
//! themselves.

mod state;

use std::path::PathBuf;

use chrono_tz::Tz;
use clap::Args;

pub use state::StateError;

use super::outcome::Outcome;
use super::sink::Sink;
use super::{CommonArguments, ImportError};
use crate::cli::argument::{first_instant, last_instant, pair, table};
use crate::cli::progress::{Progress, say};
use crate::config::Settings;
use crate::tables::{TABLES, TIME_COLUMN, Table};
use crate::time::{Micros, format_naive};
use crate::transfer::postgres::{Bounds, Server, SourceTable, connect};
use crate::transfer::{Converter, Mapping, Plan};
use state::State;

/// Rows that are fetched together, unless a batch has fewer.
const FETCH: usize = 5_000;

/// Which server, which tables, which span.
///
/// An import that was interrupted goes on where it was when it is run again, and one that was complete fetches what has
/// come since. Rows that were added or changed further in the past are fetched only without the state file.
#[derive(Debug, Clone, Args)]
pub struct TimescaleArguments {
    /// Address of the server, postgres://user:password@host:5432/database; with ?sslmode=require the connection is
    /// encrypted and the server's certificate is checked. Without a password, that of PGPASSWORD is used
    #[arg(long, env = "OBSERVABILITY_TIMESCALEDB_URL", value_name = "URL")]
    pub url: String,
    /// Tables to copy, with commas between [default: all five]
    #[arg(long, value_name = "TABLES", value_delimiter = ',', value_parser = table)]
    pub tables: Vec<&'static Table>,
    /// Schema that they are in [default: the first of the server's search path that has them]
    #[arg(long, value_name = "NAME")]
    pub schema: Option<String>,
    /// First instant, ISO 8601, UTC unless it has an offset
    #[arg(long, value_name = "TIME", value_parser = first_instant)]
    pub from: Option<Micros>,
    /// Last instant, inclusive; a date alone is the whole day
    #[arg(long, value_name = "TIME", value_parser = last_instant)]
    pub to: Option<Micros>,
    /// Column that the server has under another name, timestamp=time for instance, in every table where it has
    #[arg(long, value_name = "COLUMN=NAME", value_parser = pair)]
    pub map: Vec<(String, String)>,
    /// Column that takes the nearest value it can store, where the server has fractions of integers
    #[arg(long, value_name = "COLUMN")]
    pub round: Vec<String>,
    /// File that says how far the import came [default: beside the database, its name with .timescaledb.json after it]
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// PEM file with the certificates to trust [default: those of this machine]
    #[arg(long, value_name = "FILE")]
    pub ca_certificates: Option<PathBuf>,
    /// What every import takes
    #[command(flatten)]
    pub common: CommonArguments,
}

/// A table that is to be copied.
struct TableCopy {
    table: &'static Table,
    source: SourceTable,
    mapping: Mapping,
}

/// Copies every table, one after the other.
pub async fn run(arguments: TimescaleArguments, settings: Settings) -> Result<(), ImportError> {
    let mut server = connect(&arguments.url, arguments.ca_certificates.as_deref()).await?;
    let tables = if arguments.tables.is_empty() { TABLES.to_vec() } else { arguments.tables.clone() };
    // Whatever can be wrong with a table is found before the first row is copied.
    let mut copies = Vec::with_capacity(tables.len());
    for table in &tables {
        let source = server.table(table, arguments.schema.as_deref()).await?;
        let mapping = arguments.mapping(table, &tables, &source);
        let copy = TableCopy { table, source, mapping };
        let plan = copy.plan()?;
        if !plan.ignored().is_empty() {
            say(format_args!("{}: not taken: {}", table.name, plan.ignored().join(", ")));
        }
        copies.push(copy);
    }
    // A file that is made now has none of the rows that an earlier one had.
    let is_new = arguments.common.server.is_none() && !settings.store.path.exists();
    let mut state = State::open(arguments.state_path(&settings), server.name(), arguments.from)?;
    let mut outcome = Outcome::new(arguments.common.clone())?;
    let sink = Sink::open(arguments.common.server.clone(), &settings, arguments.common.dry_run)?;
    let copied = async {
        if state.belongs_to(sink.database().await?, is_new) {
            say("the state of the import is of another database: it begins anew");
        }
        for copy in &copies {
            copy.run(&arguments, &mut server, &mut state, &sink, &mut outcome).await?;
        }
        Ok::<_, ImportError>(())
    };
    let copied = copied.await;
    sink.close().await?;
    copied?;
    outcome.finish()
}

impl TimescaleArguments {
    /// What is said about `table`; what is said about none of `tables` is left in, to be refused.
    fn mapping(&self, table: &Table, tables: &[&'static Table], source: &SourceTable) -> Mapping {
        let belongs = |column: &str| {
            table.position(column).is_some() || !tables.iter().any(|table| table.position(column).is_some())
        };
        let names = source.columns().names;
        let columns = self.map.iter().filter(|(column, name)| belongs(column) && names.contains(name));
        Mapping {
            columns: columns.cloned().collect(),
            constants: Vec::new(),
            translations: Vec::new(),
            round: self.round.iter().filter(|column| belongs(column)).cloned().collect(),
            nulls: Vec::new(),
            zone: self.common.time_zone.unwrap_or(Tz::UTC),
            time_unit: None,
        }
    }

    fn state_path(&self, settings: &Settings) -> PathBuf {
        self.state.clone().unwrap_or_else(|| {
            let mut name = settings.store.path.clone().into_os_string();
            name.push(".timescaledb.json");
            name.into()
        })
    }
}

impl TableCopy {
    fn plan(&self) -> Result<Plan, ImportError> {
        Ok(Plan::new(self.table, &self.mapping, self.table.name, &self.source.columns())?)
    }

    async fn run(
        &self,
        arguments: &TimescaleArguments,
        server: &mut Server,
        state: &mut State,
        sink: &Sink,
        outcome: &mut Outcome,
    ) -> Result<(), ImportError> {
        let name = self.table.name;
        let (mut stored, mut of_dropped_days) = (0, 0);
        let copied = self.copy(arguments, server, state, sink, outcome, (&mut stored, &mut of_dropped_days)).await;
        if of_dropped_days > 0 {
            outcome.came_too_late(name, of_dropped_days);
        }
        match copied {
            Ok(()) => {
                outcome.done(name, name, stored);
                Ok(())
            }
            Err(cause) => Err(ImportError::BrokeOff { source_name: name.to_owned(), stored, cause: Box::new(cause) }),
        }
    }

    async fn copy(
        &self,
        arguments: &TimescaleArguments,
        server: &mut Server,
        state: &mut State,
        sink: &Sink,
        outcome: &mut Outcome,
        (stored, of_dropped_days): (&mut u64, &mut u64),
    ) -> Result<(), ImportError> {
        let name = self.table.name;
        let plan = self.plan()?;
        let clock = |instant| self.source.clock(&plan, instant, self.mapping.zone);
        let mut bounds = Bounds { from: arguments.from.map(clock), to: arguments.to.map(clock) };
        if let Some(position) = state.position(name) {
            say(format_args!("{name}: goes on at {}", format_naive(position)));
            bounds.from = Some(position);
        }
        let span = server.span(&self.source, self.table, &plan, bounds).await?;
        let (first, last) = span.unwrap_or_default();
        let progress = Progress::part(last.abs_diff(first).max(1), name);

        let time = plan.position(TIME_COLUMN).unwrap_or_default();
        let batch_rows = arguments.common.batch_rows as usize;
        let mut reader = server.read(&self.source, self.table, &plan, bounds, batch_rows.min(FETCH)).await?;
        let mut converter = Converter::new(plan, name, batch_rows);
        let mut reached = None;
        loop {
            let rows = reader.next().await?;
            if let Some(rows) = &rows {
                converter.push(rows, outcome.rejects())?;
                reached = rows.last_time(time).or(reached);
            }
            if converter.length() >= batch_rows || rows.is_none() {
                if let Some(batch) = converter.finish()? {
                    let count = batch.num_rows() as u64;
                    *of_dropped_days += sink.store(self.table, batch).await?.of_dropped_days as u64;
                    *stored += count;
                }
                if let Some(reached) = reached {
                    if !arguments.common.dry_run {
                        state.advance(name, reached)?;
                    }
                    progress.at(reached.abs_diff(first));
                }
                progress.rows(*stored);
            }
            if rows.is_none() {
                progress.end();
                return Ok(());
            }
        }
    }
}

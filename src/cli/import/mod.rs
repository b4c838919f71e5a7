//! `observability-api import trades fills.csv --map trade_id=id --set symbol=BTC-PERP`, and
//! `observability-api import timescaledb --url postgres://…`.
//!
//! `files` brings the rows of files to a table, [`timescaledb`] those of a server's tables; `sink` is where rows go:
//! to the server that has the database open, or into the file. `outcome` is what the user is told at the end.

mod files;
mod outcome;
mod sink;
pub mod timescaledb;

use std::path::PathBuf;

use chrono_tz::Tz;
use clap::Args;
use reqwest::Url;

use super::argument::{pair, server, table, translation, zone};
use super::database::DatabaseError;
use super::progress::Rows;
use crate::tables::Table;
use crate::transfer::postgres::PostgresError;
use crate::transfer::{ConvertError, FileFormat, Mapping, MappingError, SourceError, TimeUnit, Translation};

pub use files::run;

/// Which files, and how their columns become the table's.
///
/// Rows are stored in batches, each all or not at all; a row replaces the stored one with its key, so that an import that
/// was interrupted is simply run again. A row that cannot be stored exactly is rejected and reported with its reason; the
/// other rows are stored, and the command ends with exit code 1 unless --allow-rejected is given.
#[derive(Debug, Clone, Args)]
pub struct ImportArguments {
    /// market_data, strategy_metrics, execution_metrics, system_metrics or trades
    #[arg(value_name = "TABLE", value_parser = table, required = true)]
    pub table: Option<&'static Table>,
    /// CSV with a header line, NDJSON, Arrow IPC or Parquet; - is the standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Form of the files [default: what the end of each name says, else what the first bytes look like]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<FileFormat>,
    /// Column of the table that the file has under another name, last_price=close for instance; columns of equal names
    /// need no --map
    #[arg(long, value_name = "COLUMN=NAME", value_parser = pair)]
    pub map: Vec<(String, String)>,
    /// Column that is the same in every row, symbol=BTC-PERP for instance
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// What the words of a column stand for, side:True=sell,False=buy for instance; other words are rejected
    #[arg(long, value_name = "COLUMN:WORD=VALUE,…", value_parser = translation)]
    pub values: Vec<Translation>,
    /// Column that takes the nearest value it can store, where a file has fractions of integers or of microseconds
    #[arg(long, value_name = "COLUMN")]
    pub round: Vec<String>,
    /// Text that stands for no value, NA for instance; an empty field of CSV always does
    #[arg(long, value_name = "TEXT")]
    pub null: Vec<String>,
    /// What a number that stands for a time counts since 1970 [default: by its size]
    #[arg(long, value_enum, value_name = "UNIT")]
    pub time_unit: Option<TimeUnit>,
    /// What every import takes
    #[command(flatten)]
    pub common: CommonArguments,
}

/// What both kinds of import take.
#[derive(Debug, Clone, Args)]
pub struct CommonArguments {
    /// Zone of times that do not name theirs, Europe/Berlin for instance [default: UTC]
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub time_zone: Option<Tz>,
    /// About so many rows are stored at a time
    #[arg(long, value_name = "ROWS", default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=500_000))]
    pub batch_rows: u32,
    /// File for every rejected row with its reason: CSV when its name ends so, else NDJSON
    #[arg(long, value_name = "FILE")]
    pub rejected: Option<PathBuf>,
    /// Succeed although rows were rejected
    #[arg(long)]
    pub allow_rejected: bool,
    /// Read and convert everything, store nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Server to send to, http://127.0.0.1:8000 for instance [default: the server that has the database open, if any]
    #[arg(long, value_name = "URL", value_parser = server)]
    pub server: Option<Url>,
}

/// Why rows were not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The server that rows come from.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// Its columns and the table's.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The conversion.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// The file of rejected rows.
    #[error("rejected rows cannot be written to {}: {source}", .path.display())]
    Rejected {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file that says how far an import came.
    #[error(transparent)]
    State(#[from] timescaledb::StateError),
    /// The database, or the server that has it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// It broke off in the middle.
    #[error("{cause}. {} of {source_name} are stored; run the same command again: what is stored already is replaced by itself", Rows(*.stored))]
    BrokeOff {
        /// The file or table.
        source_name: String,
        /// Rows of it that are safe.
        stored: u64,
        /// What went wrong.
        cause: Box<Self>,
    },
    /// Some rows are not stored.
    #[error("{} rejected, see above; the others are stored. --allow-rejected takes that for success", Rows(*.0))]
    RowsRejected(u64),
    /// Some rows would not be stored.
    #[error("{} would be rejected, see above", Rows(*.0))]
    RowsWouldBeRejected(u64),
    /// A part of the program gave up.
    #[error("reading stopped: {0}")]
    Stopped(#[from] tokio::task::JoinError),
}

impl ImportArguments {
    fn mapping(&self) -> Mapping {
        Mapping {
            columns: self.map.clone(),
            constants: self.set.clone(),
            translations: self.values.clone(),
            round: self.round.clone(),
            nulls: self.null.clone(),
            zone: self.common.time_zone.unwrap_or(Tz::UTC),
            time_unit: self.time_unit,
        }
    }
}

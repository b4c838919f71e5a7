//! The five tables: the only place that names a column.
//!
//! Each table is declared once, in a file of its own. From that declaration come the Arrow schema of every batch, the
//! check of the database's own columns at start, the decoding of pushed rows, and the reference in `/docs`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

mod declare;
mod execution_metrics;
mod market_data;
mod strategy_metrics;
mod system_metrics;
mod trades;

pub use declare::column;
pub use execution_metrics::{EXECUTION_METRICS, ExecutionMetricsRow};
pub use market_data::{MARKET_DATA, MarketDataRow};
pub use strategy_metrics::{ALWAYS_NUMBERS, STRATEGY_METRICS, StrategyMetricsRow};
pub use system_metrics::{SYSTEM_METRICS, SystemMetricsRow};
pub use trades::{TRADES, TradeRow, WHOLE_UNITS};

/// Every table, in the order in which documents list them.
pub static TABLES: [&Table; 5] = [&MARKET_DATA, &STRATEGY_METRICS, &EXECUTION_METRICS, &SYSTEM_METRICS, &TRADES];

/// The table of that name, if there is one.
pub fn find(name: &str) -> Option<&'static Table> {
    TABLES.into_iter().find(|table| table.name == name)
}

/// The column by which every table is ordered, bucketed and kept.
pub const TIME_COLUMN: &str = "timestamp";

/// The longest text that a column takes, in bytes: labels and ids are kept in memory, in indexes and in every frame.
pub const LONGEST_TEXT: usize = 1_024;

/// What is known of a table before any row of it exists.
#[derive(Debug)]
pub struct Table {
    /// Its name in SQL, in paths and in the database file.
    pub name: &'static str,
    /// One sentence for the reference.
    pub about: &'static str,
    /// Its columns, in stored order.
    pub columns: &'static [Column],
    /// The columns whose values identify a row: a row with the same key replaces the old one.
    pub key: &'static [&'static str],
    /// The column that tells one series of the table from another, where it has several.
    pub label: Option<&'static str>,
}

/// One column of a [`Table`].
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: ColumnKind,
    /// Whether a row may leave it out.
    pub nullable: bool,
    /// What it means, with its unit.
    pub about: &'static str,
}

/// The types that the documented schema uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Microseconds since the epoch, naive UTC.
    Timestamp,
    /// UTF-8 text.
    Text,
    /// 64-bit float.
    Double,
    /// 64-bit signed integer.
    BigInt,
    /// 32-bit signed integer.
    Integer,
}

impl ColumnKind {
    /// The Arrow type of the column in every batch.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Text => DataType::Utf8,
            Self::Double => DataType::Float64,
            Self::BigInt => DataType::Int64,
            Self::Integer => DataType::Int32,
        }
    }

    /// The name of the type in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Timestamp => "TIMESTAMP",
            Self::Text => "VARCHAR",
            Self::Double => "DOUBLE",
            Self::BigInt => "BIGINT",
            Self::Integer => "INTEGER",
        }
    }
}

impl Table {
    /// The Arrow schema of the table's batches.
    pub fn schema(&self) -> SchemaRef {
        let fields =
            self.columns.iter().map(|column| Field::new(column.name, column.kind.data_type(), column.nullable));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The position of a column.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|candidate| candidate.name == column)
    }
}

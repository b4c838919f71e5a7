//! Why a body was refused.

use crate::budget::Exhausted;
use crate::encode::Format;
use crate::tables::Table;

/// Whose fault it is, by the kind of answer it deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The body is not what its content type says (400).
    Malformed,
    /// The body holds more than one body may (413).
    TooLarge,
    /// Other bodies have what this one needs; it may be sent again (429).
    Busy,
    /// The content type is none that is understood (415).
    UnsupportedMediaType,
    /// The body can be read, but a value or a column does not fit the table (422).
    Unprocessable,
}

/// Why a body was refused; nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No format has this media type.
    #[error("content type \"{0}\" is not understood: send one of {list}", list = media_types())]
    UnsupportedMediaType(String),
    /// The bytes are not of the format.
    #[error("the body is not {format}: {reason}")]
    Malformed {
        /// The format's name, as a reader of the message knows it.
        format: &'static str,
        /// What is wrong, and where.
        reason: String,
    },
    /// More rows than one body may hold.
    #[error("the body has more than {0} rows: send it in parts")]
    TooManyRows(usize),
    /// More bytes than one body may have, once decompressed.
    #[error("the body has more than {0} bytes: send it in parts")]
    TooManyBytes(usize),
    /// More memory than there is for bodies, whoever else has some of it.
    #[error(
        "the body unfolds to more than the {limit} bytes that there are for it: send it in parts, or raise \
         --ingest-memory"
    )]
    TooLarge {
        /// What there is.
        limit: u64,
    },
    /// A form that takes far more work to read than rows are in it.
    #[error("the body is too laborious to read, since {0}: send it in parts")]
    TooLaborious(&'static str),
    /// Less memory than the body needs, while others are decoded.
    #[error("other bodies take the memory there is: try again in a second, or send less at a time")]
    Busy,
    /// A column that the table has not.
    #[error("{at}there is no column \"{column}\" in {table}: its columns are {columns}", at = at(*.row))]
    UnknownColumn {
        /// The row that has it, from 1, where rows name their columns one by one.
        row: Option<usize>,
        /// What it is called in the body.
        column: String,
        /// The table's name.
        table: &'static str,
        /// The table's columns.
        columns: String,
    },
    /// A required column is absent from the whole body.
    #[error("column \"{column}\" is missing: {table} requires it")]
    MissingColumn {
        /// The column.
        column: &'static str,
        /// The table's name.
        table: &'static str,
    },
    /// A column that cannot be taken, whatever its values.
    #[error("column \"{column}\": {reason}")]
    Column {
        /// The column.
        column: String,
        /// Why not.
        reason: String,
    },
    /// A value that cannot be taken.
    #[error("row {row}, column \"{column}\": {reason}")]
    Value {
        /// The row, from 1 over the whole body.
        row: usize,
        /// The column.
        column: &'static str,
        /// Why not.
        reason: String,
    },
    /// A row that cannot be taken.
    #[error("row {row}: {reason}")]
    Row {
        /// The row, from 1 over the whole body.
        row: usize,
        /// Why not.
        reason: String,
    },
}

impl DecodeError {
    /// The kind of answer that it deserves.
    pub fn fault(&self) -> Fault {
        match self {
            Self::UnsupportedMediaType(_) => Fault::UnsupportedMediaType,
            Self::Malformed { .. } => Fault::Malformed,
            Self::TooManyRows(_) | Self::TooManyBytes(_) | Self::TooLarge { .. } | Self::TooLaborious(_) => {
                Fault::TooLarge
            }
            Self::Busy => Fault::Busy,
            Self::UnknownColumn { .. }
            | Self::MissingColumn { .. }
            | Self::Column { .. }
            | Self::Value { .. }
            | Self::Row { .. } => Fault::Unprocessable,
        }
    }

    pub(super) fn unknown_column(table: &Table, column: &str, row: Option<usize>) -> Self {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        Self::UnknownColumn { row, column: shortened(column), table: table.name, columns: columns.join(", ") }
    }
}

impl From<Exhausted> for DecodeError {
    fn from(exhausted: Exhausted) -> Self {
        if exhausted.is_final() { Self::TooLarge { limit: exhausted.limit } } else { Self::Busy }
    }
}

/// How much of a client's own text an error shows.
const SHOWN_CHARACTERS: usize = 200;

/// The beginning of a text of any length.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// What is said of a required value that is null or absent.
pub(crate) const REQUIRED: &str = "a value is required";

fn at(row: Option<usize>) -> String {
    row.map_or_else(String::new, |row| format!("row {row}: "))
}

fn media_types() -> String {
    Format::ALL.map(Format::content_type).join(", ")
}

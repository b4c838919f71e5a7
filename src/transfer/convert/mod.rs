//! From a cell to a value of a declared column. What cannot be stored as it is gives the reason instead.

mod number;
mod timestamp;

use std::borrow::Cow;

use chrono_tz::Tz;

use super::cell::Cell;
use crate::ingest::check::too_long;
use crate::ingest::error::REQUIRED;
use crate::tables::{Column, ColumnKind, LONGEST_TEXT};
use crate::time::Micros;

/// Why a value is not stored.
pub(super) type Reason = Cow<'static, str>;

/// A value that a column takes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stored<'a> {
    Null,
    Timestamp(Micros),
    Text(Cow<'a, str>),
    Double(f64),
    BigInt(i64),
    Integer(i32),
}

/// What the user allowed and explained.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// The zone of clocks that do not name theirs.
    pub(super) zone: Tz,
    /// What a bare number counts since 1970; by its size when it is not said.
    pub(super) unit: Option<TimeUnit>,
    /// Texts that stand for no value.
    pub(super) nulls: Vec<String>,
}

/// What a number that stands for a time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TimeUnit {
    /// Seconds
    S,
    /// Milliseconds
    Ms,
    /// Microseconds
    Us,
    /// Nanoseconds
    Ns,
}

/// Brings a cell to a column; `round` allows the nearest value that can be stored.
pub(super) fn convert<'a>(column: &Column, cell: Cell<'a>, rules: &Rules, round: bool) -> Result<Stored<'a>, Reason> {
    let stored = match cell {
        cell if rules.is_null(&cell) => Stored::Null,
        Cell::Nested(_) => return Err("is a list or an object, which no column takes".into()),
        cell => match column.kind {
            ColumnKind::Timestamp => Stored::Timestamp(timestamp::convert(&cell, rules, round)?),
            ColumnKind::Text => Stored::Text(text(cell)),
            ColumnKind::Double => Stored::Double(number::double(&cell)?),
            ColumnKind::BigInt => Stored::BigInt(number::integer(&cell, round)?),
            ColumnKind::Integer => Stored::Integer(number::integer32(&cell, round)?),
        },
    };
    if let Stored::Text(text) = &stored
        && text.len() > LONGEST_TEXT
    {
        return Err(too_long(text.len()).into());
    }
    let missing = match &stored {
        Stored::Null => true,
        Stored::Text(text) => text.is_empty(),
        Stored::Double(value) => !value.is_finite(),
        _ => false,
    };
    if missing && !column.nullable { Err(REQUIRED.into()) } else { Ok(stored) }
}

impl Rules {
    /// Whether a cell is, or stands for, no value.
    pub(super) fn is_null(&self, cell: &Cell<'_>) -> bool {
        match cell {
            Cell::Null => true,
            _ if self.nulls.is_empty() => false,
            cell => cell.text().is_some_and(|text| self.nulls.iter().any(|null| *null == text)),
        }
    }
}

fn text(cell: Cell<'_>) -> Cow<'_, str> {
    match cell {
        Cell::Digits(text) | Cell::Text(text) => text,
        other => other.to_string().into(),
    }
}

//! Cells of a server's rows.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::time::{Micros, SECOND};
use crate::transfer::cell::{Cell, MICRO, Rows};

/// Where the server's own count of microseconds begins: the year 2000.
const EPOCH: Micros = 946_684_800 * SECOND;

/// Rows that were fetched together.
pub struct PostgresRows {
    rows: Vec<Row>,
}

impl PostgresRows {
    pub(super) fn new(rows: Vec<Row>) -> Self {
        Self { rows }
    }

    /// The newest time in `column` as the server counts it, if any row has a finite one.
    pub fn last_time(&self, column: usize) -> Option<Micros> {
        self.rows.iter().rev().find_map(|row| match row.try_get(column) {
            Ok(Some(Clock::At(micros))) => Some(micros),
            _ => None,
        })
    }
}

impl Rows for PostgresRows {
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        let Some(row) = self.rows.get(row) else { return Cell::Null };
        let Some(kind) = row.columns().get(column).map(|column| column.type_()) else { return Cell::Null };
        let cell = match *kind {
            Type::BOOL => row.try_get(column).map(|value: Option<bool>| value.map(Cell::Boolean)),
            Type::INT2 => row.try_get(column).map(|value: Option<i16>| value.map(|value| Cell::Integer(value.into()))),
            Type::INT4 => row.try_get(column).map(|value: Option<i32>| value.map(|value| Cell::Integer(value.into()))),
            Type::INT8 => row.try_get(column).map(|value: Option<i64>| value.map(|value| Cell::Integer(value.into()))),
            Type::FLOAT4 => row.try_get(column).map(|value: Option<f32>| value.map(|value| Cell::Float(value.into()))),
            Type::FLOAT8 => row.try_get(column).map(|value: Option<f64>| value.map(Cell::Float)),
            Type::TIMESTAMP => row.try_get(column).map(|value| instant(value, Cell::Local)),
            Type::TIMESTAMPTZ => row.try_get(column).map(|value| instant(value, Cell::Instant)),
            _ => row.try_get(column).map(|value: Option<&str>| value.map(|text| Cell::Text(text.into()))),
        };
        match cell {
            Ok(cell) => cell.unwrap_or(Cell::Null),
            // Every column is asked for in one of the types above.
            Err(error) => Cell::Nested(error.to_string()),
        }
    }
}

fn instant(value: Option<Clock>, cell: fn(i128) -> Cell<'static>) -> Option<Cell<'static>> {
    value.map(|value| match value {
        Clock::At(micros) => cell(i128::from(micros) * MICRO),
        Clock::Infinity => Cell::Text("infinity".into()),
        Clock::MinusInfinity => Cell::Text("-infinity".into()),
    })
}

/// A timestamp of the server, with or without time zone: microseconds since 1970 on its own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    At(Micros),
    Infinity,
    MinusInfinity,
}

fn is_timestamp(kind: &Type) -> bool {
    matches!(*kind, Type::TIMESTAMP | Type::TIMESTAMPTZ)
}

impl<'a> FromSql<'a> for Clock {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match i64::from_be_bytes(raw.try_into()?) {
            i64::MAX => Self::Infinity,
            i64::MIN => Self::MinusInfinity,
            micros => micros.checked_add(EPOCH).map_or(Self::Infinity, Self::At),
        })
    }

    fn accepts(kind: &Type) -> bool {
        is_timestamp(kind)
    }
}

impl ToSql for Clock {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let count = match self {
            Self::At(micros) => micros.saturating_sub(EPOCH),
            Self::Infinity => i64::MAX,
            Self::MinusInfinity => i64::MIN,
        };
        out.extend_from_slice(&count.to_be_bytes());
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        is_timestamp(kind)
    }

    to_sql_checked!();
}

//! A value as a source has it, before it is anybody's column.

use std::borrow::Cow;
use std::fmt;

use crate::time::{Micros, format_naive};

/// Nanoseconds in a microsecond.
pub(super) const MICRO: i128 = 1_000;

/// One value of a source.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Integer(i128),
    /// A float.
    Float(f64),
    /// A number as its digits.
    Digits(Cow<'a, str>),
    /// Text, which may stand for anything.
    Text(Cow<'a, str>),
    /// Nanoseconds since the epoch, UTC.
    Instant(i128),
    /// Nanoseconds since the epoch, on a clock whose zone is not known.
    Local(i128),
    /// Something that is no scalar, as its text.
    Nested(String),
}

/// Rows that were read together.
pub trait Rows {
    /// How many they are.
    fn count(&self) -> usize;

    /// The value of a row, from 0, in a column of the source.
    fn cell(&self, row: usize, column: usize) -> Cell<'_>;

    /// Why a row cannot be read at all, and what it looks like.
    fn fault(&self, _row: usize) -> Option<(String, String)> {
        None
    }
}

impl Cell<'_> {
    /// The value as text, for columns of text and for words that stand for something else.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null | Self::Nested(_) => None,
            Self::Digits(text) | Self::Text(text) => Some(Cow::Borrowed(text)),
            other => Some(Cow::Owned(other.to_string())),
        }
    }
}

/// The value as a report shows it.
impl fmt::Display for Cell<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Boolean(value) => write!(formatter, "{value}"),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Float(value) => write!(formatter, "{value}"),
            Self::Digits(text) | Self::Text(text) => formatter.write_str(text),
            Self::Instant(nanos) => write!(formatter, "{}Z", moment(*nanos)),
            Self::Local(nanos) => formatter.write_str(&moment(*nanos)),
            Self::Nested(text) => formatter.write_str(text),
        }
    }
}

/// ISO 8601, with nanoseconds where there are any.
fn moment(nanos: i128) -> String {
    let Ok(micros) = Micros::try_from(nanos.div_euclid(MICRO)) else { return nanos.to_string() };
    let text = format_naive(micros);
    match nanos.rem_euclid(MICRO) {
        0 => text,
        finer => format!("{text}{}{finer:03}", if text.contains('.') { "" } else { ".000000" }),
    }
}

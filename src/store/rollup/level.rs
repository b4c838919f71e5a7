//! The widths of buckets that are kept.

use crate::time::{Micros, SECOND};

/// The width of the buckets of one roll-up of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// One minute.
    Minute1,
    /// Five minutes.
    Minute5,
    /// One hour.
    Hour1,
}

/// Every level, finest first. The width of each divides that of the next: it is made from the one before it.
pub const LEVELS: [Level; 3] = [Level::Minute1, Level::Minute5, Level::Hour1];

/// The level that is made of rows.
pub const FINEST: Level = Level::Minute1;

impl Level {
    /// Its name in the names of tables and in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minute1 => "1m",
            Self::Minute5 => "5m",
            Self::Hour1 => "1h",
        }
    }

    /// Its width.
    pub fn width(self) -> Micros {
        let seconds = match self {
            Self::Minute1 => 60,
            Self::Minute5 => 300,
            Self::Hour1 => 3_600,
        };
        seconds * SECOND
    }
}

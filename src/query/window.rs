//! Spans of time that a question is about.

use crate::store::Value;
use crate::time::{DAY, Micros, SECOND};

/// From `start` to `end`, both inclusive, naive UTC. A window that ends before it starts holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first instant.
    pub start: Micros,
    /// The last instant.
    pub end: Micros,
}

impl Window {
    /// All instants that have a date of four digits.
    pub(super) const ALL: Self = Self { start: -719_162 * DAY, end: 2_932_897 * DAY - 1 };

    /// The first instant after it.
    pub(super) fn until(self) -> Micros {
        self.end.saturating_add(1)
    }

    /// The bounds as the parameters that every windowed query has.
    pub(super) fn values(self) -> [(&'static str, Value); 2] {
        [("start", Value::Timestamp(self.start)), ("end", Value::Timestamp(self.end))]
    }
}

/// The documented spans that end now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeRange {
    /// One hour.
    Hour1,
    /// One day.
    Hours24,
    /// One week.
    Days7,
    /// Thirty days.
    Days30,
}

impl TimeRange {
    /// Reads either spelling: `1h` or `HOUR_1`, `24h` or `HOURS_24`, `7d` or `DAYS_7`, `30d` or `DAYS_30`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "1h" | "HOUR_1" => Some(Self::Hour1),
            "24h" | "HOURS_24" => Some(Self::Hours24),
            "7d" | "DAYS_7" => Some(Self::Days7),
            "30d" | "DAYS_30" => Some(Self::Days30),
            _ => None,
        }
    }

    /// The span up to `now`.
    pub fn until(self, now: Micros) -> Window {
        let length = match self {
            Self::Hour1 => 3_600 * SECOND,
            Self::Hours24 => DAY,
            Self::Days7 => 7 * DAY,
            Self::Days30 => 30 * DAY,
        };
        Window { start: now.saturating_sub(length), end: now }
    }
}

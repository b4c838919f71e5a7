//! The names of backups.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime};

use super::BackupError;
use crate::time::{Micros, SECOND};

/// Colons are no part of a file's name everywhere.
const FORM: &str = "%Y-%m-%dT%H-%M-%SZ";

/// The second in which a backup was begun, which is the name of its directory: `2026-01-05T14-30-00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    second: Micros,
}

impl Name {
    /// The name of a backup that is begun at `instant`.
    pub fn of(instant: Micros) -> Self {
        Self { second: instant.div_euclid(SECOND) * SECOND }
    }

    /// The second, as an instant.
    pub fn instant(self) -> Micros {
        self.second
    }

    /// The name of the next second.
    pub(super) fn next(self) -> Self {
        Self { second: self.second.saturating_add(SECOND) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = DateTime::from_timestamp_micros(self.second).unwrap_or_default();
        write!(formatter, "{}", instant.format(FORM))
    }
}

impl FromStr for Name {
    type Err = BackupError;

    fn from_str(text: &str) -> Result<Self, BackupError> {
        let instant = NaiveDateTime::parse_from_str(text, FORM);
        let name = instant.map(|instant| Self::of(instant.and_utc().timestamp_micros()));
        // Other texts that mean the same second are no names of ours.
        name.ok().filter(|name| name.to_string() == text).ok_or_else(|| BackupError::NoName(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written_and_sorts_by_time() {
        let name = Name::of(1_767_623_400 * SECOND + 999_999);
        assert_eq!(name.to_string(), "2026-01-05T14-30-00Z");
        assert_eq!("2026-01-05T14-30-00Z".parse::<Name>().unwrap(), name);
        assert_eq!(name.next().to_string(), "2026-01-05T14-30-01Z");
        assert!(name < name.next());
        for other in ["latest", "2026-1-5T14-30-00Z", "2026-01-05T14:30:00Z", "2026-01-05T14-30-00Z.old", "archive"] {
            assert!(other.parse::<Name>().is_err(), "{other}");
        }
    }
}

//! Names of the files of archived days.

use crate::tables::{self, Table};
use crate::time::{self, DAY, Micros, format_naive};

/// The last part of every name.
const ROWS: &str = "rows.parquet";
/// The file at the top that says whose archive it is.
pub const IDENTITY: &str = "identity.json";
/// What stands between a name and a random number while a file is not complete.
const ASIDE: &str = ".tmp-";

/// The file of a table's day: `market_data/date=2026-01-31/rows.parquet`.
pub fn file_name(table: &Table, day: Micros) -> String {
    format!("{}/date={}/{ROWS}", table.name, date(day))
}

/// A name beside `file` that nobody else uses.
pub fn aside(file: &str) -> String {
    format!("{file}{ASIDE}{:016x}", rand::random::<u64>())
}

/// The name for a file that stands where `file` is to go, and that is not removed.
pub fn set_aside(file: &str) -> String {
    let now = chrono::DateTime::from_timestamp_micros(time::now()).unwrap_or_default().format("%Y%m%dT%H%M%S%.6fZ");
    format!("{file}.unlisted-{now}")
}

/// `2026-01-31`.
pub fn date(day: Micros) -> String {
    let text = format_naive(day);
    text.split('T').next().unwrap_or_default().to_owned()
}

/// What a name in the archive stands for.
#[derive(Debug, Clone, Copy)]
pub enum Named {
    /// A day of a table.
    Day(&'static Table, Micros),
    /// A file that was never completed.
    Aside,
}

/// Reads a name; `None` for files that are not of this program.
pub fn parse(name: &str) -> Option<Named> {
    if name.strip_prefix(IDENTITY).is_some_and(|rest| rest.starts_with(ASIDE)) {
        return Some(Named::Aside);
    }
    let mut parts = name.split('/');
    let table = tables::find(parts.next()?)?;
    let date = parts.next()?.strip_prefix("date=")?;
    let date = chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let file = parts.next().filter(|_| parts.next().is_none())?;
    match file.strip_prefix(ROWS)? {
        "" => Some(Named::Day(table, days_since_epoch(date) * DAY)),
        rest if rest.starts_with(ASIDE) => Some(Named::Aside),
        _ => None,
    }
}

fn days_since_epoch(date: chrono::NaiveDate) -> i64 {
    date.signed_duration_since(chrono::NaiveDate::default()).num_days()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{MARKET_DATA, TRADES};

    #[test]
    fn a_name_is_read_as_it_was_written() {
        for (table, day) in [(&MARKET_DATA, 20_000 * DAY), (&TRADES, 0), (&TRADES, -400 * DAY)] {
            let name = file_name(table, day);
            assert!(
                matches!(parse(&name), Some(Named::Day(found, at)) if found.name == table.name && at == day),
                "{name}"
            );
            assert!(matches!(parse(&aside(&name)), Some(Named::Aside)));
        }
        assert!(matches!(parse(&aside(IDENTITY)), Some(Named::Aside)));
        assert_eq!(file_name(&TRADES, 0), "trades/date=1970-01-01/rows.parquet");
    }

    #[test]
    fn the_files_of_others_are_not_ours() {
        for name in [
            "rows.parquet",
            IDENTITY,
            "trades/identity.json.tmp-1",
            "trades/rows.parquet",
            "trades/date=1970-01-01/other.parquet",
            "trades/date=1970-01-01/rows.parquet.gz",
            "trades/date=1970-13-01/rows.parquet",
            "orders/date=1970-01-01/rows.parquet",
            "trades/date=1970-01-01/x/rows.parquet",
        ] {
            assert!(parse(name).is_none(), "{name}");
        }
    }
}

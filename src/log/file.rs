//! The log file: a new one every day and at 100 MB, the last ten kept as `observability_api.log.1` to `.10`.

use std::io;
use std::path::Path;

use chrono::{DateTime, Local, NaiveDate};
use tracing_rolling_file::{RollingCondition, RollingFileAppender};

const NAME: &str = "observability_api.log";
const MAX_BYTES: u64 = 100_000_000;
const KEPT: usize = 10;

/// Opens the log file in `directory`, which is created.
pub(super) fn open(directory: &Path) -> io::Result<RollingFileAppender<DailyOrLarge>> {
    std::fs::create_dir_all(directory)?;
    let path = directory.join(NAME);
    // The appender stops the program on a path that is not UTF-8.
    if path.to_str().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8"));
    }
    let day = std::fs::metadata(&path).and_then(|file| file.modified()).ok().map(|time| local_day(&time.into()));
    RollingFileAppender::new(path, DailyOrLarge { day }, KEPT)
}

/// Starts a new file when the local day changes or the file is large.
///
/// The day is that of the last write, also across a restart: yesterday's file is not continued. Days are compared as
/// dates, since a local midnight need not exist where clocks change at midnight.
#[derive(Debug)]
pub(super) struct DailyOrLarge {
    day: Option<NaiveDate>,
}

impl RollingCondition for DailyOrLarge {
    fn should_rollover(&mut self, now: &DateTime<Local>, size: u64) -> bool {
        let today = local_day(now);
        let another_day = self.day.replace(today).is_some_and(|day| day != today);
        another_day && size > 0 || size >= MAX_BYTES
    }
}

fn local_day(instant: &DateTime<Local>) -> NaiveDate {
    instant.date_naive()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use chrono::Duration;

    use super::*;

    #[test]
    fn a_new_day_and_a_large_file_start_a_new_one() {
        let now = Local::now();
        let mut condition = DailyOrLarge { day: None };
        assert!(!condition.should_rollover(&now, 10));
        assert!(!condition.should_rollover(&now, MAX_BYTES - 1));
        assert!(condition.should_rollover(&now, MAX_BYTES));
        assert!(condition.should_rollover(&(now + Duration::days(1)), 10));
        assert!(!condition.should_rollover(&(now + Duration::days(1)), 10));
    }

    #[test]
    fn ten_old_files_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let mut appender = open(&directory.path().join("new/logs")).unwrap();
        for day in 0..15 {
            writeln!(appender, "day {day}").unwrap();
            appender.rollover().unwrap();
        }
        let files = std::fs::read_dir(directory.path().join("new/logs")).unwrap().count();
        assert_eq!(files, 1 + KEPT);
    }
}

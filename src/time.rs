//! Instants as the whole program stores them: microseconds since the Unix epoch, UTC.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970-01-01T00:00:00 UTC.
pub type Micros = i64;

/// Microseconds in a second.
pub const SECOND: Micros = 1_000_000;
/// Microseconds in a day. UTC days have no other length here: leap seconds are not counted.
pub const DAY: Micros = 86_400 * SECOND;

/// The first instant that is stored: the beginning of the year 1.
pub const FIRST: Micros = -62_135_596_800 * SECOND;
/// The last instant that is stored: the end of the year 9999.
pub const LAST: Micros = 253_402_300_800 * SECOND - 1;

static PROCESS_START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The wall clock.
pub fn now() -> Micros {
    since_epoch(SystemTime::now())
}

/// An instant of the wall clock, such as that of a file.
pub fn since_epoch(instant: SystemTime) -> Micros {
    match instant.duration_since(UNIX_EPOCH) {
        Ok(since) => Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX),
        Err(before) => -Micros::try_from(before.duration().as_micros()).unwrap_or(Micros::MAX),
    }
}

/// Seconds since the program first asked; never goes back, whatever the wall clock does.
pub fn monotonic_seconds() -> f64 {
    PROCESS_START.elapsed().as_secs_f64()
}

/// A span of time in seconds.
pub fn seconds(span: Micros) -> f64 {
    span as f64 / SECOND as f64
}

/// Midnight UTC of the day that holds `instant`.
pub fn day_start(instant: Micros) -> Micros {
    floor(instant, DAY)
}

/// The start of the bucket of `width` that holds `instant`; buckets are aligned to midnight UTC.
pub fn floor(instant: Micros, width: Micros) -> Micros {
    instant.div_euclid(width) * width
}

/// The first start of a bucket of `width` that is not before `instant`.
pub fn ceil(instant: Micros, width: Micros) -> Micros {
    let start = floor(instant, width);
    if start == instant { start } else { start.saturating_add(width) }
}

/// Appends `YYYY-MM-DDTHH:MM:SS[.ffffff]`: naive UTC, six digits or no fraction at all.
///
/// Years outside 0..=9999 are written with a sign and as many digits as they need.
/// The calendar arithmetic is the proleptic Gregorian civil-from-days algorithm
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
pub fn write_naive(instant: Micros, out: &mut Vec<u8>) {
    let days = instant.div_euclid(DAY);
    let in_day = instant.rem_euclid(DAY);

    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);

    if (0..=9999).contains(&year) {
        two_digits(year / 100, out);
        two_digits(year % 100, out);
    } else {
        out.extend_from_slice(format!("{year:+05}").as_bytes());
    }
    out.push(b'-');
    two_digits(month, out);
    out.push(b'-');
    two_digits(day, out);
    out.push(b'T');
    let seconds = in_day / SECOND;
    two_digits(seconds / 3600, out);
    out.push(b':');
    two_digits(seconds / 60 % 60, out);
    out.push(b':');
    two_digits(seconds % 60, out);
    let fraction = in_day % SECOND;
    if fraction != 0 {
        out.push(b'.');
        two_digits(fraction / 10_000, out);
        two_digits(fraction / 100 % 100, out);
        two_digits(fraction % 100, out);
    }
}

/// [`write_naive`] into a new string.
pub fn format_naive(instant: Micros) -> String {
    let mut out = Vec::with_capacity(26);
    write_naive(instant, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn two_digits(value: i64, out: &mut Vec<u8>) {
    let digit = |value: i64| b'0' + u8::try_from(value % 10).unwrap_or(0);
    out.push(digit(value / 10));
    out.push(digit(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_second_has_no_fraction() {
        assert_eq!(format_naive(1_761_084_000 * SECOND), "2025-10-21T22:00:00");
        assert_eq!(format_naive(1_761_084_000 * SECOND + 500_000), "2025-10-21T22:00:00.500000");
        assert_eq!(format_naive(-1), "1969-12-31T23:59:59.999999");
        assert_eq!(format_naive(951_782_400 * SECOND), "2000-02-29T00:00:00");
    }

    #[test]
    fn agrees_with_chrono_on_every_kind_of_day() {
        for days in (-800_000..1_500_000).step_by(97) {
            let instant = days * DAY + 123;
            let expected = chrono::DateTime::from_timestamp_micros(instant).unwrap().naive_utc();
            if (0..=9999).contains(&chrono::Datelike::year(&expected)) {
                assert_eq!(format_naive(instant), expected.format("%Y-%m-%dT%H:%M:%S%.6f").to_string());
            }
        }
    }
}

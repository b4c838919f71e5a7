//! Times: instants, clocks with and without a zone, and numbers since 1970.

use chrono::{DateTime, TimeZone};
use chrono_tz::Tz;

use super::{Reason, Rules, TimeUnit};
use crate::ingest::timestamp::{OUT_OF_RANGE, TOO_FINE, read, within};
use crate::time::Micros;
use crate::transfer::cell::{Cell, MICRO};

const A_TRUTH_VALUE: &str = "is a truth value and no time";
const ROUND: &str = "is finer than a microsecond: --round COLUMN takes the nearest one";

impl TimeUnit {
    /// Nanoseconds in one of it.
    fn nanos(self) -> i128 {
        match self {
            Self::S => 1_000_000_000,
            Self::Ms => 1_000_000,
            Self::Us => 1_000,
            Self::Ns => 1,
        }
    }

    /// What a number of this size counts, if it lies between 1973 and 5138 (as seconds, from 1970 on).
    fn of(number: i128) -> Self {
        match number.unsigned_abs() {
            0..100_000_000_000 => Self::S,
            100_000_000_000..100_000_000_000_000 => Self::Ms,
            100_000_000_000_000..100_000_000_000_000_000 => Self::Us,
            _ => Self::Ns,
        }
    }
}

/// The instant in UTC. A clock without a zone is in that of `rules`; with `round`, what is finer than a microsecond goes
/// to the nearest one.
pub(super) fn convert(cell: &Cell<'_>, rules: &Rules, round: bool) -> Result<Micros, Reason> {
    let instant = match cell {
        Cell::Instant(nanos) => micros(*nanos, round)?,
        Cell::Local(nanos) => in_zone(micros(*nanos, round)?, rules.zone)?,
        Cell::Integer(number) => micros(number.saturating_mul(unit(*number, rules).nanos()), round)?,
        Cell::Float(number) if number.is_finite() => micros(since_epoch(&number.to_string(), rules)?, round)?,
        Cell::Digits(digits) => micros(since_epoch(digits, rules)?, round)?,
        Cell::Text(text) => return written(text.trim(), rules, round),
        Cell::Boolean(_) => return Err(A_TRUTH_VALUE.into()),
        _ => return Err("is not a time".into()),
    };
    within(instant).map_err(Reason::from)
}

fn written(text: &str, rules: &Rules, round: bool) -> Result<Micros, Reason> {
    let written = match read(text) {
        Ok(written) => written,
        Err(form) => {
            let nanos = since_epoch(text, rules).map_err(|_| form)?;
            return Ok(within(micros(nanos, round)?)?);
        }
    };
    let finer = match written.finer {
        None => 0,
        Some(_) if !round => return Err(ROUND.into()),
        Some(digit) => Micros::from(digit >= 5),
    };
    let local = written.local + finer;
    let instant = match written.offset {
        Some(offset) => local - offset,
        None => in_zone(local, rules.zone)?,
    };
    within(instant).map_err(Reason::from)
}

fn unit(number: i128, rules: &Rules) -> TimeUnit {
    rules.unit.unwrap_or_else(|| TimeUnit::of(number))
}

/// Nanoseconds of a decimal number of units since 1970.
fn since_epoch(digits: &str, rules: &Rules) -> Result<i128, Reason> {
    const NO_TIME: &str = "is not a time";
    let (negative, unsigned) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Err(NO_TIME.into());
    }
    let whole: i128 = whole.parse().map_err(|_| OUT_OF_RANGE)?;
    let nanos = unit(whole, rules).nanos();
    let mut place = nanos;
    let mut part = 0;
    for digit in fraction.bytes() {
        place /= 10;
        if place == 0 && digit != b'0' {
            return Err(TOO_FINE.into());
        }
        part += place * i128::from(digit - b'0');
    }
    let total = whole.saturating_mul(nanos).saturating_add(part);
    Ok(if negative { -total } else { total })
}

fn micros(nanos: i128, round: bool) -> Result<Micros, Reason> {
    let (whole, finer) = (nanos.div_euclid(MICRO), nanos.rem_euclid(MICRO));
    if finer != 0 && !round {
        return Err(ROUND.into());
    }
    Micros::try_from(whole + i128::from(finer >= MICRO / 2)).map_err(|_| OUT_OF_RANGE.into())
}

/// The instant at which clocks of `zone` show `local`.
fn in_zone(local: Micros, zone: Tz) -> Result<Micros, Reason> {
    if zone == Tz::UTC {
        return Ok(local);
    }
    let shown = DateTime::from_timestamp_micros(local).ok_or(OUT_OF_RANGE)?.naive_utc();
    match zone.from_local_datetime(&shown) {
        chrono::LocalResult::Single(instant) => Ok(instant.timestamp_micros()),
        chrono::LocalResult::Ambiguous(..) => {
            Err(format!("happens twice in {zone}, where clocks go back: an offset is needed").into())
        }
        chrono::LocalResult::None => Err(format!("does not happen in {zone}, where clocks go forward").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::format_naive;

    fn rules(zone: Tz, unit: Option<TimeUnit>) -> Rules {
        Rules { zone, unit, nulls: Vec::new() }
    }

    fn utc(cell: &Cell<'_>) -> Result<String, String> {
        let instant = convert(cell, &rules(Tz::UTC, None), false);
        instant.map(format_naive).map_err(|reason| reason.into_owned())
    }

    fn text(text: &str) -> Cell<'_> {
        Cell::Text(text.into())
    }

    #[test]
    fn every_unit_since_1970_is_told_by_its_size() {
        let noon = "2025-10-21T12:00:00";
        for number in [1_761_048_000, 1_761_048_000_000, 1_761_048_000_000_000, 1_761_048_000_000_000_000] {
            assert_eq!(utc(&Cell::Integer(number)).as_deref(), Ok(noon));
            assert_eq!(utc(&text(&number.to_string())).as_deref(), Ok(noon));
        }
        assert_eq!(utc(&Cell::Float(1_761_048_000.25)).as_deref(), Ok("2025-10-21T12:00:00.250000"));
        assert_eq!(utc(&text("1761048000.123456")).as_deref(), Ok("2025-10-21T12:00:00.123456"));
        assert_eq!(utc(&Cell::Digits("-0.5".into())).as_deref(), Ok("1969-12-31T23:59:59.500000"));
        let seconds = convert(&Cell::Integer(200_000_000_000), &rules(Tz::UTC, Some(TimeUnit::S)), false).unwrap();
        assert_eq!(format_naive(seconds), "8307-10-01T19:33:20");
    }

    #[test]
    fn nothing_finer_than_a_microsecond_is_lost_unasked() {
        for cell in [
            Cell::Instant(1_761_048_000_000_000_500),
            Cell::Integer(1_761_048_000_000_000_500),
            text("2025-10-21T12:00:00.0000005"),
            text("1761048000.0000005"),
        ] {
            assert!(utc(&cell).is_err(), "{cell:?}");
            let rounded = convert(&cell, &rules(Tz::UTC, None), true).unwrap();
            assert_eq!(format_naive(rounded), "2025-10-21T12:00:00.000001", "{cell:?}");
        }
    }

    #[test]
    fn a_clock_without_a_zone_is_in_the_one_that_was_named() {
        let berlin = rules(Tz::Europe__Berlin, None);
        let at =
            |shown: &str| convert(&text(shown), &berlin, false).map(format_naive).map_err(|reason| reason.into_owned());
        assert_eq!(at("2022-07-01 12:00:00").as_deref(), Ok("2022-07-01T10:00:00"));
        assert_eq!(at("2022-01-01").as_deref(), Ok("2021-12-31T23:00:00"));
        assert_eq!(at("2022-07-01T12:00:00Z").as_deref(), Ok("2022-07-01T12:00:00"), "its own zone wins");
        assert!(at("2022-10-30 02:30:00").unwrap_err().contains("twice in Europe/Berlin"));
        assert!(at("2022-03-27 02:30:00").unwrap_err().contains("does not happen in Europe/Berlin"));
        assert_eq!(convert(&Cell::Integer(0), &berlin, false), Ok(0), "a number counts from an instant");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for cell in [
            text("soon"),
            text(""),
            Cell::Boolean(true),
            Cell::Float(f64::NAN),
            Cell::Integer(i128::MAX),
            text("infinity"),
        ] {
            assert!(utc(&cell).is_err(), "{cell:?}");
        }
    }
}

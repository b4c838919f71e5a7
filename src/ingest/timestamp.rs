//! Timestamps in text.

use chrono::{NaiveDate, NaiveTime};

use crate::time::{DAY, FIRST, LAST, Micros, SECOND};

/// What is said of an instant outside of [`FIRST`] and [`LAST`].
pub(crate) const OUT_OF_RANGE: &str = "is outside the years 1 to 9999";
/// What is said of an instant between two microseconds.
pub(crate) const TOO_FINE: &str = "is finer than a microsecond, which would be lost";
/// What is said of a text that is no timestamp.
const FORM: &str = "is not a timestamp such as 2025-10-21T22:00:00.500000, with or without Z or an offset";

/// A timestamp as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// What the clock shows, as if it were UTC, cut to the microsecond.
    pub(crate) local: Micros,
    /// How far the clock is ahead of UTC, where the text says.
    pub(crate) offset: Option<Micros>,
    /// The first digit beyond the microsecond, where any of them is not zero.
    pub(crate) finer: Option<u8>,
}

/// Reads ISO 8601: a date, then optionally `T`, a blank or `_` and a time of day, with a fraction of up to six digits
/// and `Z` or an offset. Without an offset the time is UTC. On an error, says what is wrong with the text.
pub(crate) fn parse(text: &str) -> Result<Micros, &'static str> {
    let written = read(text)?;
    if written.finer.is_some() {
        return Err(TOO_FINE);
    }
    within(written.local - written.offset.unwrap_or(0))
}

/// The instant, if it is one that is taken.
pub(crate) fn within(instant: Micros) -> Result<Micros, &'static str> {
    if (FIRST..=LAST).contains(&instant) { Ok(instant) } else { Err(OUT_OF_RANGE) }
}

/// Reads what [`parse`] reads, and leaves it to the caller what a missing offset means.
pub(crate) fn read(text: &str) -> Result<Written, &'static str> {
    let mut rest = Reader(text.as_bytes());
    let date = rest.date().ok_or(FORM)?;
    let mut written = Written { local: i64::from(date.to_epoch_days()) * DAY, offset: None, finer: None };
    if rest.any_of(b"T _t").is_some() {
        written.local += rest.time_of_day().ok_or(FORM)?;
        if rest.any_of(b".").is_some() {
            let (micros, finer) = rest.fraction().ok_or(FORM)?;
            written.local += micros;
            written.finer = finer;
        }
        written.offset = rest.offset().ok_or(FORM)?;
    }
    if rest.0.is_empty() { Ok(written) } else { Err(FORM) }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn any_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        let found = wanted.contains(first).then_some(*first);
        if found.is_some() {
            self.0 = rest;
        }
        found
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let value = digits
            .iter()
            .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))?;
        self.0 = rest;
        Some(value)
    }

    fn date(&mut self) -> Option<NaiveDate> {
        let year = self.digits(4)?;
        self.any_of(b"-")?;
        let month = self.digits(2)?;
        self.any_of(b"-")?;
        let day = self.digits(2)?;
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
    }

    fn time_of_day(&mut self) -> Option<Micros> {
        let hour = self.digits(2)?;
        self.any_of(b":")?;
        let minute = self.digits(2)?;
        let second = if self.any_of(b":").is_some() { self.digits(2)? } else { 0 };
        NaiveTime::from_hms_opt(hour, minute, second)?;
        Some(i64::from(hour * 3_600 + minute * 60 + second) * SECOND)
    }

    /// Digits after the point as microseconds, and the seventh of them unless it and all after it are zero.
    fn fraction(&mut self) -> Option<(Micros, Option<u8>)> {
        let mut micros = 0;
        let (mut seventh, mut finer) = (0, false);
        let mut count = 0;
        while let Some(digit) = self.any_of(b"0123456789") {
            let digit = digit - b'0';
            if count < 6 {
                micros = micros * 10 + i64::from(digit);
            } else {
                finer |= digit != 0;
            }
            if count == 6 {
                seventh = digit;
            }
            count += 1;
        }
        if count == 0 {
            return None;
        }
        let missing = 6_u32.saturating_sub(count);
        Some((micros * 10_i64.pow(missing), finer.then_some(seventh)))
    }

    /// How far the text's clock is ahead of UTC, where it says.
    fn offset(&mut self) -> Option<Option<Micros>> {
        let sign = match self.any_of(b"Zz+-") {
            None => return Some(None),
            Some(b'Z' | b'z') => return Some(Some(0)),
            Some(b'-') => -1,
            Some(_) => 1,
        };
        let hours = self.digits(2)?;
        self.any_of(b":");
        let minutes = self.digits(2)?;
        (hours < 24 && minutes < 60).then(|| Some(sign * i64::from(hours * 3_600 + minutes * 60) * SECOND))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::format_naive;

    #[test]
    fn takes_every_documented_form() {
        for (text, expected) in [
            ("2025-10-21T22:00:00", "2025-10-21T22:00:00"),
            ("2025-10-21 22:00:00.5", "2025-10-21T22:00:00.500000"),
            ("2025-10-21_22:00", "2025-10-21T22:00:00"),
            ("2025-10-21", "2025-10-21T00:00:00"),
            ("2025-10-21T22:00:00Z", "2025-10-21T22:00:00"),
            ("2025-10-21T22:00:00.123456+02:00", "2025-10-21T20:00:00.123456"),
            ("2025-10-21T22:00:00-0530", "2025-10-22T03:30:00"),
            ("2025-10-21T22:00:00.123456000", "2025-10-21T22:00:00.123456"),
            ("2024-02-29T23:59:59.999999z", "2024-02-29T23:59:59.999999"),
            ("0001-01-01", "0001-01-01T00:00:00"),
            ("9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999"),
            ("1969-12-31T23:59:59.25", "1969-12-31T23:59:59.250000"),
        ] {
            assert_eq!(parse(text).map(format_naive).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "now",
            "1761084000",
            "2025-10-21T",
            "2025-10-21T22",
            "2025-10-21T24:00:00",
            "2025-10-21T22:00:60",
            "2025-02-29",
            "2025-13-01",
            " 2025-10-21",
            "2025-10-21 ",
            "2025-10-21T22:00:00.",
            "2025-10-21T22:00:00-05",
            "2025-10-21T22:00:00+24:00",
            "21.10.2025",
            "2025-1-1",
            "2025-10-21Z",
            "２025-10-21",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("2025-10-21T22:00:00.1234567").unwrap_err().contains("microsecond"));
        assert_eq!(parse("0001-01-01T00:00:00+01:00"), Err(OUT_OF_RANGE));
        assert_eq!(parse("0000-12-31"), Err(OUT_OF_RANGE));
    }

    proptest::proptest! {
        #[test]
        fn what_we_write_we_read(instant in FIRST..=LAST) {
            proptest::prop_assert_eq!(parse(&format_naive(instant)), Ok(instant));
        }
    }
}

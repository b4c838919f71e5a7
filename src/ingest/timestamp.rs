//! Timestamps in text.

use chrono::{NaiveDate, NaiveTime};

use crate::time::{DAY, Micros, SECOND};

/// The first and the last instant that is taken: the years 1 to 9999.
pub(super) const FIRST: Micros = -62_135_596_800 * SECOND;
pub(super) const LAST: Micros = 253_402_300_800 * SECOND - 1;

/// What is said of an instant outside of [`FIRST`] and [`LAST`].
pub(super) const OUT_OF_RANGE: &str = "is outside the years 1 to 9999";

/// Reads ISO 8601: a date, then optionally `T`, a blank or `_` and a time of day, with a fraction of up to six digits
/// and `Z` or an offset. Without an offset the time is UTC. On an error, says what is wrong with the text.
pub(super) fn parse(text: &str) -> Result<Micros, &'static str> {
    const FORM: &str = "is not a timestamp such as 2025-10-21T22:00:00.500000, with or without Z or an offset";
    let mut rest = Reader(text.as_bytes());
    let date = rest.date().ok_or(FORM)?;
    let mut instant = i64::from(date.to_epoch_days()) * DAY;
    if rest.any_of(b"T _t").is_some() {
        instant += rest.time_of_day().ok_or(FORM)?;
        if rest.any_of(b".").is_some() {
            instant += rest.fraction().ok_or(FORM)?.ok_or("is finer than a microsecond, which would be lost")?;
        }
        instant -= rest.offset().ok_or(FORM)?;
    }
    if !rest.0.is_empty() {
        return Err(FORM);
    }
    if (FIRST..=LAST).contains(&instant) { Ok(instant) } else { Err(OUT_OF_RANGE) }
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

    /// Digits after the point, or `Some(None)` when a digit beyond the sixth is not zero.
    fn fraction(&mut self) -> Option<Option<Micros>> {
        let mut micros = 0;
        let mut exact = true;
        let mut count = 0;
        while let Some(digit) = self.any_of(b"0123456789") {
            if count < 6 {
                micros = micros * 10 + i64::from(digit - b'0');
            } else {
                exact &= digit == b'0';
            }
            count += 1;
        }
        if count == 0 {
            return None;
        }
        let missing = 6_u32.saturating_sub(count);
        Some(exact.then_some(micros * 10_i64.pow(missing)))
    }

    /// How far the text's clock is ahead of UTC.
    fn offset(&mut self) -> Option<Micros> {
        let sign = match self.any_of(b"Zz+-") {
            None | Some(b'Z' | b'z') => return Some(0),
            Some(b'-') => -1,
            Some(_) => 1,
        };
        let hours = self.digits(2)?;
        self.any_of(b":");
        let minutes = self.digits(2)?;
        (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3_600 + minutes * 60) * SECOND)
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

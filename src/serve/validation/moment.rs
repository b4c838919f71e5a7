//! Instants as clients write them.

use chrono::{NaiveDate, NaiveDateTime};

use crate::time::{self, Micros, SECOND};

/// An instant with the offset that it was written with, so that it can be written the same way again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// What the client's clock shows, in microseconds.
    local: Micros,
    /// Seconds east of UTC; `None` where the client gave none, which means UTC.
    offset: Option<i32>,
}

/// Numbers beyond this are milliseconds, others seconds.
const LARGEST_SECONDS: f64 = 2e10;
/// The instants of the years 1 to 9999.
const YEARS: std::ops::Range<Micros> = -62_135_596_800 * SECOND..253_402_300_800 * SECOND;

const TOO_SHORT: &str = "input is too short";
const EXTRA: &str = "unexpected extra characters at the end of the input";
const SEPARATOR: &str = "invalid date separator, expected `-`";
const RANGE: &str = "the instant is outside the years 1 to 9999";

impl Moment {
    /// An instant without an offset.
    pub fn naive(utc: Micros) -> Self {
        Self { local: utc, offset: None }
    }

    /// The instant in UTC.
    pub fn utc(self) -> Micros {
        self.local - Micros::from(self.offset.unwrap_or(0)) * SECOND
    }

    /// Reads a date and time, a date, or Unix seconds or milliseconds; on failure says why not.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match date_and_time(text) {
            Some(moment) => Ok(moment),
            None => match number(text) {
                Some(number) => Self::from_unix(number),
                None => date(text).map(Self::naive),
            },
        }
    }

    /// Unix seconds, or milliseconds where the number is too large for seconds.
    pub fn from_unix(number: f64) -> Result<Self, &'static str> {
        let scale = if number.abs() > LARGEST_SECONDS { 1e3 } else { 1e6 };
        let micros = (number * scale).round();
        // Beyond the range of years the cast saturates, and still lies beyond it.
        #[allow(clippy::cast_possible_truncation)]
        let local = micros as Micros;
        if micros.is_finite() && YEARS.contains(&local) { Ok(Self { local, offset: Some(0) }) } else { Err(RANGE) }
    }
}

/// As the client wrote it: with its offset, `Z` for none to the east or west, nothing where it gave nothing.
impl std::fmt::Display for Moment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&time::format_naive(self.local))?;
        match self.offset {
            None => Ok(()),
            Some(0) => formatter.write_str("Z"),
            Some(seconds) => {
                let sign = if seconds < 0 { '-' } else { '+' };
                let minutes = seconds.abs() / 60;
                write!(formatter, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

/// Digits, at most one point between them, and a sign.
fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (all_digits(whole) && all_digits(fraction)).then(|| text.parse().ok()).flatten()
}

/// `YYYY-MM-DD`, midnight of it.
fn date(text: &str) -> Result<Micros, &'static str> {
    let bytes = text.as_bytes();
    let (Some(year), Some(month), Some(day)) = (bytes.get(0..4), bytes.get(5..7), bytes.get(8..10)) else {
        return Err(TOO_SHORT);
    };
    let year = digits(year).ok_or("invalid character in year")?;
    if bytes.get(4) != Some(&b'-') {
        return Err(SEPARATOR);
    }
    let month = digits(month).ok_or("invalid character in month")?;
    if bytes.get(7) != Some(&b'-') {
        return Err(SEPARATOR);
    }
    let day = digits(day).ok_or("invalid character in day")?;
    if !(1..=12).contains(&month) {
        return Err("month value is outside expected range of 1-12");
    }
    if year == 0 {
        return Err(RANGE);
    }
    let date = i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
    let date = date.ok_or("day value is outside expected range")?;
    if bytes.len() > 10 { Err(EXTRA) } else { Ok(micros(date.into())) }
}

/// A date, one of `T`, blank and `_`, `HH:MM` with seconds and a fraction of them or without, and an offset or none.
fn date_and_time(text: &str) -> Option<Moment> {
    let (day, rest) = text.split_at_checked(10)?;
    let midnight = date(day).ok()?;
    let rest = rest.strip_prefix(['T', 't', ' ', '_'])?;
    let (hour, rest) = two_digits(rest, 23)?;
    let (minute, rest) = two_digits(rest.strip_prefix(':')?, 59)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => two_digits(rest, 59)?,
        None => (0, rest),
    };
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    let local = midnight + seconds * SECOND + fraction;
    Some(Moment { local, offset: offset(rest)? })
}

/// Nothing, `Z`, `+hh:mm` or `+hhmm`.
fn offset(text: &str) -> Option<Option<i32>> {
    match text {
        "" => return Some(None),
        "Z" | "z" => return Some(Some(0)),
        _ => {}
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let (hours, rest) = two_digits(rest, 23)?;
    let (minutes, rest) = two_digits(rest.strip_prefix(':').unwrap_or(rest), 59)?;
    let seconds = i32::try_from(hours * 3_600 + minutes * 60).ok()?;
    rest.is_empty().then_some(Some(sign * seconds))
}

/// Microseconds of a decimal fraction; digits beyond the sixth are dropped.
fn fraction(text: &str) -> Option<(Micros, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(length).filter(|(digits, _)| !digits.is_empty())?;
    let padded = digits.bytes().chain(std::iter::repeat(b'0')).take(6);
    Some((padded.fold(0, |value, digit| value * 10 + Micros::from(digit - b'0')), rest))
}

fn two_digits(text: &str, largest: u32) -> Option<(u32, &str)> {
    let (head, rest) = text.split_at_checked(2)?;
    digits(head.as_bytes()).filter(|value| *value <= largest).map(|value| (value, rest))
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}

fn micros(moment: NaiveDateTime) -> Micros {
    moment.and_utc().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_clients_send_and_writes_it_back() {
        for (text, echo) in [
            ("2025-10-21T22:00:00", "2025-10-21T22:00:00"),
            ("2025-10-21T22:00:00.5", "2025-10-21T22:00:00.500000"),
            ("2025-10-21T22:00:00.123456", "2025-10-21T22:00:00.123456"),
            ("2025-10-21T22:00:00.123456789", "2025-10-21T22:00:00.123456"),
            ("2025-10-21T22:00:00Z", "2025-10-21T22:00:00Z"),
            ("2025-10-21T22:00:00z", "2025-10-21T22:00:00Z"),
            ("2025-10-21T22:00:00+00:00", "2025-10-21T22:00:00Z"),
            ("2025-10-21T22:00:00+02:00", "2025-10-21T22:00:00+02:00"),
            ("2025-10-21T22:00:00+0200", "2025-10-21T22:00:00+02:00"),
            ("2025-10-21T22:00:00.250-05:30", "2025-10-21T22:00:00.250000-05:30"),
            ("2025-10-21 22:00:00", "2025-10-21T22:00:00"),
            ("2025-10-21_22:00:00", "2025-10-21T22:00:00"),
            ("2025-10-21T22:00", "2025-10-21T22:00:00"),
            ("2025-10-21", "2025-10-21T00:00:00"),
            ("1761084000", "2025-10-21T22:00:00Z"),
            ("1761084000.25", "2025-10-21T22:00:00.250000Z"),
            ("1761084000123", "2025-10-21T22:00:00.123000Z"),
            ("-1", "1969-12-31T23:59:59Z"),
            ("9999-12-31T23:59:59", "9999-12-31T23:59:59"),
            ("0001-01-01T00:00:00", "0001-01-01T00:00:00"),
        ] {
            assert_eq!(Moment::parse(text).map(|moment| moment.to_string()).as_deref(), Ok(echo), "{text:?}");
        }
    }

    #[test]
    fn says_why_a_text_is_no_instant() {
        for (text, reason) in [
            ("", TOO_SHORT),
            ("now", TOO_SHORT),
            ("tomorrow", TOO_SHORT),
            ("yesterday", TOO_SHORT),
            ("2025-10-21T22:00:00-05", EXTRA),
            ("2025-10-21T22", EXTRA),
            ("2025-10-21T24:00:00", EXTRA),
            ("2025-10-21T22:00:60", EXTRA),
            ("2025-10-21T22:00:00 ", EXTRA),
            ("2025-10-21T22:00:00 02:00", EXTRA),
            ("2025-10-21T22:00:00.", EXTRA),
            ("20251021T220000", SEPARATOR),
            ("2025-02-30T00:00:00", "day value is outside expected range"),
            ("2025-13-01T00:00:00", "month value is outside expected range of 1-12"),
            (" 2025-10-21T22:00:00", "invalid character in year"),
            ("99999999999999999999", RANGE),
            ("мартовские иды", "invalid character in year"),
        ] {
            assert_eq!(Moment::parse(text), Err(reason), "{text:?}");
        }
    }

    #[test]
    fn an_offset_moves_the_instant_to_utc() {
        let utc = Moment::parse("2025-10-21T22:00:00Z").unwrap().utc();
        assert_eq!(Moment::parse("2025-10-22T00:00:00+02:00").unwrap().utc(), utc);
        assert_eq!(Moment::parse("2025-10-21T16:30:00-0530").unwrap().utc(), utc);
        assert_eq!(Moment::parse("2025-10-21T22:00:00").unwrap().utc(), utc);
        assert_eq!(Moment::parse("1761084000").unwrap().utc(), utc);
    }
}

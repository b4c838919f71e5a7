//! Numbers.

use super::Reason;
use crate::ingest::number::{
    self as text, BEYOND_32_BITS, BEYOND_64_BITS, EXACT, NOT_A_FLOAT, NOT_A_NUMBER, NOT_WHOLE,
};
use crate::transfer::cell::Cell;

const A_TRUTH_VALUE: &str = "is a truth value and no number: --values says what it stands for";
const A_TIME: &str = "is a time and no number";
/// The first float that is too large for 64 bits.
const LIMIT: f64 = 9_223_372_036_854_775_808.0;

/// A float; an integer must come through whole.
pub(super) fn double(cell: &Cell<'_>) -> Result<f64, Reason> {
    match cell {
        Cell::Float(value) => Ok(*value),
        Cell::Integer(value) => match *value as f64 {
            float if float as i128 == *value => Ok(float),
            _ => Err(NOT_A_FLOAT.into()),
        },
        Cell::Digits(digits) | Cell::Text(digits) => text::double(digits.trim()).map_err(Reason::from),
        other => Err(no_number(other)),
    }
}

/// An integer of 64 bits; with `round`, the nearest one to a fraction, halves away from zero.
pub(super) fn integer(cell: &Cell<'_>, round: bool) -> Result<i64, Reason> {
    match cell {
        Cell::Integer(value) => i64::try_from(*value).map_err(|_| BEYOND_64_BITS.into()),
        Cell::Float(value) if value.fract() == 0.0 => whole(*value, LIMIT),
        Cell::Float(value) => rounded(*value, round),
        Cell::Digits(digits) | Cell::Text(digits) => match text::integer(digits.trim()) {
            Ok(value) => Ok(value),
            Err(NOT_WHOLE) => rounded(digits.trim().parse().map_err(|_| NOT_A_NUMBER)?, round),
            Err(reason) => Err(reason.into()),
        },
        other => Err(no_number(other)),
    }
}

/// An [`integer`] of 32 bits.
pub(super) fn integer32(cell: &Cell<'_>, round: bool) -> Result<i32, Reason> {
    i32::try_from(integer(cell, round)?).map_err(|_| BEYOND_32_BITS.into())
}

fn rounded(value: f64, round: bool) -> Result<i64, Reason> {
    if round && value.is_finite() {
        // Beyond it, the digits of a fraction are not all there to be rounded.
        whole(value.round(), EXACT)
    } else if value.is_finite() && value.fract() != 0.0 {
        Err("is not a whole number: --round COLUMN takes the nearest one".into())
    } else {
        Err(NOT_WHOLE.into())
    }
}

fn whole(value: f64, limit: f64) -> Result<i64, Reason> {
    if value.abs() < limit { Ok(value as i64) } else { Err(BEYOND_64_BITS.into()) }
}

fn no_number(cell: &Cell<'_>) -> Reason {
    match cell {
        Cell::Boolean(_) => A_TRUTH_VALUE.into(),
        Cell::Instant(_) | Cell::Local(_) => A_TIME.into(),
        _ => NOT_A_NUMBER.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(digits: &str) -> Cell<'_> {
        Cell::Text(digits.into())
    }

    #[test]
    fn integers_come_through_whole_whatever_they_are_written_in() {
        for cell in [Cell::Integer(42), Cell::Float(42.0), text("42"), text(" 42.0 "), Cell::Digits("4.2e1".into())] {
            assert_eq!(integer(&cell, false), Ok(42), "{cell:?}");
            assert_eq!(double(&cell), Ok(42.0), "{cell:?}");
        }
        assert_eq!(integer(&text("9223372036854775807"), false), Ok(i64::MAX));
        assert!(integer(&text("9223372036854775808"), true).is_err());
        assert!(integer(&Cell::Float(LIMIT), true).is_err());
        assert!(integer32(&Cell::Integer(3_000_000_000), true).is_err());
        assert!(double(&Cell::Integer((1 << 53) + 1)).is_err());
    }

    #[test]
    fn a_fraction_is_rounded_only_when_allowed() {
        for (cell, nearest) in [(Cell::Float(2.5), 3), (text("2300413.7295"), 2_300_414), (text("-0.5"), -1)] {
            let refused = integer(&cell, false).unwrap_err();
            assert!(refused.contains("--round"), "{refused}");
            assert_eq!(integer(&cell, true), Ok(nearest), "{cell:?}");
        }
        for cell in [Cell::Float(f64::NAN), Cell::Float(f64::INFINITY), text("inf"), text("1e300"), text("x"), text("")]
        {
            assert!(integer(&cell, true).is_err(), "{cell:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_told_what_it_is() {
        assert!(double(&Cell::Boolean(true)).unwrap_err().contains("--values"));
        assert!(integer(&Cell::Instant(0), true).unwrap_err().contains("time"));
    }
}

//! Numbers in text.

/// What is said of a text that is no number.
pub(crate) const NOT_A_NUMBER: &str = "is not a number";
/// What is said of an integer beyond 64 bits.
pub(crate) const BEYOND_64_BITS: &str = "does not fit 64 bits";
/// What is said of an integer beyond 32 bits.
pub(crate) const BEYOND_32_BITS: &str = "does not fit 32 bits";
/// What is said of a number that is not an integer.
pub(crate) const NOT_WHOLE: &str = "is not a whole number that fits 64 bits";
/// What is said of an integer that no float equals.
pub(crate) const NOT_A_FLOAT: &str = "would lose digits as a 64-bit float";

/// Integers up to this are floats without loss.
pub(crate) const EXACT: f64 = 9_007_199_254_740_992.0;

/// The nearest float. A fraction is rounded as everywhere; an integer must come through whole.
pub(crate) fn double(digits: &str) -> Result<f64, &'static str> {
    let value: f64 = digits.parse().map_err(|_| NOT_A_NUMBER)?;
    if value.is_infinite() && digits.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err("does not fit a 64-bit float");
    }
    // 15 digits always fit.
    if digits.len() > 15 && digits.parse::<i128>().is_ok_and(|integer| value as i128 != integer) {
        return Err(NOT_A_FLOAT);
    }
    Ok(value)
}

/// An integer, which may be spelled with a fraction of zero or an exponent.
pub(crate) fn integer(digits: &str) -> Result<i64, &'static str> {
    if let Ok(value) = digits.parse() {
        return Ok(value);
    }
    if digits.parse::<i128>().is_ok() {
        return Err(BEYOND_64_BITS);
    }
    let value: f64 = digits.parse().map_err(|_| NOT_A_NUMBER)?;
    if value.fract() == 0.0 && value.abs() < EXACT { Ok(value as i64) } else { Err(NOT_WHOLE) }
}

/// An [`integer`] of 32 bits.
pub(crate) fn integer32(digits: &str) -> Result<i32, &'static str> {
    i32::try_from(integer(digits)?).map_err(|_| BEYOND_32_BITS)
}

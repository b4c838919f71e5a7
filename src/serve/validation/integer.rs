//! Whole numbers in a query string.

/// Reads a whole number: blanks around it, a sign, leading zeros, `1_000` and `5.0` are fine.
///
/// A number too large for the type becomes the largest (or smallest) there is, so that it fails at its bound.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let well_formed =
        digits.split('_').all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    if !well_formed {
        return None;
    }
    let magnitude = digits
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_i64, |value, digit| value.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_clients_send() {
        for (text, number) in [
            ("5", 5),
            ("05", 5),
            ("+5", 5),
            (" 5", 5),
            ("5 ", 5),
            ("1_0", 10),
            ("5.0", 5),
            ("5.000", 5),
            ("-1", -1),
            ("0", 0),
            ("99999999999999999999", i64::MAX),
            ("-99999999999999999999", -i64::MAX),
        ] {
            assert_eq!(parse(text), Some(number), "{text:?}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in ["", " ", "5.", "5.5", ".0", "1e2", "0x5", "null", "true", "٥", "_1", "1_", "1__0", "+-1", "1 0"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}

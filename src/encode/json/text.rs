//! Strings and numbers as JSON text.

/// Appends `text` as a JSON string. Only what JSON demands is escaped; everything outside ASCII stays as it is.
pub(super) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(position) = rest.iter().position(|byte| needs_escape(*byte)) {
        let (plain, escaped) = rest.split_at(position);
        out.extend_from_slice(plain);
        let Some((byte, after)) = escaped.split_first() else { break };
        write_escape(*byte, out);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cold]
fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            out.extend_from_slice(b"\\u00");
            write_hex(byte, out);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends a byte as two lower-case hexadecimal digits.
pub(super) fn write_hex(byte: u8, out: &mut Vec<u8>) {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    out.extend_from_slice(&[digit(byte >> 4), digit(byte & 0x0f)]);
}

/// Appends the shortest text that reads back as `value`, with a fraction or an exponent, or `null` if it is not finite.
pub(super) fn write_float(value: impl zmij::Float + Into<f64> + Copy, out: &mut Vec<u8>) {
    let wide: f64 = value.into();
    if !wide.is_finite() {
        out.extend_from_slice(b"null");
        return;
    }
    out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
}

/// [`write_float`], but an integral value that a 64-bit float holds exactly is written as an integer.
pub(super) fn write_integral_float(value: f64, out: &mut Vec<u8>) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        write_integer(value as i64, out);
    } else {
        write_float(value, out);
    }
}

/// Appends all digits of an integer.
pub(super) fn write_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_always_look_like_floats() {
        let float = |value: f64| text(|out| write_float(value, out));
        assert_eq!(float(0.0), "0.0");
        assert_eq!(float(-0.0), "-0.0");
        assert_eq!(float(100.0), "100.0");
        assert_eq!(float(0.1), "0.1");
        assert_eq!(float(1e15), "1000000000000000.0");
        assert_eq!(float(f64::NAN), "null");
        assert_eq!(float(f64::NEG_INFINITY), "null");
        assert_eq!(text(|out| write_float(0.1_f32, out)), "0.1");
    }

    #[test]
    fn integral_floats_may_look_like_integers() {
        let float = |value: f64| text(|out| write_integral_float(value, out));
        assert_eq!(float(5.0), "5");
        assert_eq!(float(-0.0), "0");
        assert_eq!(float(0.25), "0.25");
        assert_eq!(float(f64::INFINITY), "null");
        assert_eq!(float(1e300), "1e+300");
    }

    #[test]
    fn only_what_json_demands_is_escaped() {
        assert_eq!(text(|out| write_string("a\"b\\c\n\u{1}é€😀/", out)), r#""a\"b\\c\n\u0001é€😀/""#);
    }

    proptest! {
        #[test]
        fn any_string_reads_back(value in any::<String>()) {
            let json = text(|out| write_string(&value, out));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value);
        }

        #[test]
        fn any_finite_float_reads_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let json = text(|out| write_float(value, out));
            prop_assert!(json.contains(['.', 'e']), "{}", json);
            prop_assert!(serde_json::from_str::<f64>(&json).is_ok(), "{}", json);
            prop_assert_eq!(json.parse::<f64>().unwrap().to_bits(), bits);
        }
    }
}

//! The text of JSON, token by token.

use std::borrow::Cow;

use crate::ingest::error::DecodeError;
use crate::ingest::meter::Meter;
use crate::ingest::rows::Value;

/// Reads JSON from a body that is wholly at hand. Blanks before a token are passed over.
pub(super) struct Lexer<'a> {
    text: &'a str,
    position: usize,
    meter: &'a Meter<'a>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(body: &'a [u8], meter: &'a Meter<'a>) -> Result<Self, DecodeError> {
        match std::str::from_utf8(body) {
            Ok(text) => Ok(Self { text, position: 0, meter }),
            Err(error) => Err(malformed(format!("byte {} is not UTF-8", error.valid_up_to() + 1))),
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn here(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    /// The next byte that is not blank.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.here() {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
            self.position += 1;
        }
        None
    }

    /// Passes over `byte` if it is next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.position += usize::from(found);
        found
    }

    /// Passes over `byte`, or says that `what` was expected.
    pub(super) fn expect(&mut self, byte: u8, what: &str) -> Result<(), DecodeError> {
        if self.take(byte) { Ok(()) } else { Err(self.expected(what)) }
    }

    /// Whether nothing but blanks is left on this line.
    pub(super) fn at_line_end(&self) -> bool {
        self.rest().bytes().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r')).is_none_or(|byte| byte == b'\n')
    }

    /// The error of a text that has something else than `what` here.
    pub(super) fn expected(&self, what: &str) -> DecodeError {
        let before = self.text.get(..self.position).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        malformed(format!("expected {what} at line {line}, column {column}"))
    }

    /// Reads any value; objects and arrays only as far as to know that they are.
    pub(super) fn value(&mut self) -> Result<Value<'a>, DecodeError> {
        match self.peek() {
            Some(b'"') => Ok(Value::Text(self.string("text")?)),
            Some(b'-' | b'0'..=b'9') => Ok(Value::Number(self.number()?)),
            Some(b'{' | b'[') => Ok(Value::Nested),
            Some(b'n') => self.word("null", Value::Null),
            Some(b't') => self.word("true", Value::Boolean(true)),
            Some(b'f') => self.word("false", Value::Boolean(false)),
            Some(b'N' | b'I') => Err(self.expected("a value (JSON has no NaN and no Infinity: send null)")),
            _ => Err(self.expected("a value")),
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, DecodeError> {
        if !self.rest().starts_with(word) {
            return Err(self.expected("a value"));
        }
        self.position += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<&'a str, DecodeError> {
        let start = self.position;
        self.skip(b"-");
        match self.here() {
            Some(b'0') => self.position += 1,
            _ => self.digits()?,
        }
        if self.skip(b".") {
            self.digits()?;
        }
        if self.skip(b"eE") {
            self.skip(b"+-");
            self.digits()?;
        }
        Ok(self.text.get(start..self.position).unwrap_or_default())
    }

    fn digits(&mut self) -> Result<(), DecodeError> {
        let count = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        self.position += count;
        if count == 0 { Err(self.expected("a digit")) } else { Ok(()) }
    }

    fn skip(&mut self, any: &[u8]) -> bool {
        let found = self.here().is_some_and(|byte| any.contains(&byte));
        self.position += usize::from(found);
        found
    }

    /// Reads a string, without copying it unless it has escapes.
    pub(super) fn string(&mut self, what: &str) -> Result<Cow<'a, str>, DecodeError> {
        self.expect(b'"', what)?;
        let mut text = Cow::Borrowed("");
        loop {
            let rest = self.rest();
            let stop = rest.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < 0x20);
            let plain = rest.get(..stop.unwrap_or(rest.len())).unwrap_or_default();
            self.position += plain.len();
            if matches!(text, Cow::Borrowed(_)) && self.here() == Some(b'\\') {
                text = Cow::Owned(self.room_for_string(plain.len())?);
            }
            match &mut text {
                Cow::Borrowed(text) => *text = plain,
                Cow::Owned(text) => text.push_str(plain),
            }
            match self.here() {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.position += 1;
                    let character = self.escape()?;
                    text.to_mut().push(character);
                }
                Some(_) => return Err(self.expected("an escape such as \\n in place of a control character")),
                None => return Err(self.expected("the closing quote")),
            }
        }
    }

    /// Counted room for a string of which `before` bytes are passed already.
    fn room_for_string(&self, before: usize) -> Result<String, DecodeError> {
        let mut escaped = false;
        let closing = self.rest().bytes().position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        });
        let length = before + closing.unwrap_or(self.rest().len());
        self.meter.take(length as u64)?;
        Ok(String::with_capacity(length))
    }

    fn escape(&mut self) -> Result<char, DecodeError> {
        let character = match self.here() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.expected("an escape that JSON knows")),
        };
        self.position += 1;
        Ok(character)
    }

    /// `uXXXX`, or two of them that make up one character.
    fn unicode(&mut self) -> Result<char, DecodeError> {
        let first = self.code_unit()?;
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first) && self.skip(b"\\") {
            units.push(self.code_unit()?);
        }
        let mut characters = char::decode_utf16(units);
        match (characters.next(), characters.next()) {
            (Some(Ok(character)), None) => Ok(character),
            _ => Err(self.expected("both halves of a surrogate pair before this")),
        }
    }

    fn code_unit(&mut self) -> Result<u16, DecodeError> {
        let digits = self.rest().strip_prefix('u').and_then(|rest| rest.get(..4));
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.expected("u and four hexadecimal digits"))?;
        self.position += 5;
        Ok(unit)
    }
}

fn malformed(reason: String) -> DecodeError {
    DecodeError::Malformed { format: "JSON", reason }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::budget::Allowance;

    fn read(text: &str) -> Result<Value<'static>, DecodeError> {
        let allowance = Allowance::alone(1 << 20);
        let meter = Meter::new(&allowance, text.as_bytes());
        let value = Lexer::new(text.as_bytes(), &meter)?.value()?;
        Ok(match value {
            Value::Number(digits) => Value::Number(String::from(digits).leak()),
            Value::Text(Cow::Borrowed(text)) => Value::Text(Cow::Borrowed(String::from(text).leak())),
            Value::Text(Cow::Owned(text)) => Value::Text(Cow::Owned(text)),
            Value::Null => Value::Null,
            Value::Boolean(value) => Value::Boolean(value),
            Value::Nested => Value::Nested,
        })
    }

    #[test]
    fn numbers_keep_their_digits() {
        for text in ["0", "-0", "12.50", "1e5", "-1.5E-3", "123456789012345678901234567890"] {
            assert_eq!(read(text), Ok(Value::Number(text)));
        }
        for text in ["-", "1.", ".5", "1e", "+1", "NaN", "-Infinity"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn strings_are_borrowed_unless_they_have_escapes() {
        assert!(matches!(read(r#""AAPL""#), Ok(Value::Text(Cow::Borrowed("AAPL")))));
        assert_eq!(read(r#""a\"\\\/\n\u00e9\ud83d\ude00z""#), Ok(Value::Text("a\"\\/\né😀z".into())));
        for text in [r#""\ud83d""#, r#""\ude00""#, r#""\ud83d\u0041""#, r#""\x""#, r#""\u12"#, "\"a\nb\"", "\"a"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_says_where() {
        let allowance = Allowance::alone(0);
        let meter = Meter::new(&allowance, b"");
        let mut lexer = Lexer::new(b"{\n  \"a\" 1}", &meter).unwrap();
        lexer.expect(b'{', "").unwrap();
        lexer.string("").unwrap();
        let error = lexer.expect(b':', "a colon").unwrap_err();
        assert_eq!(error.to_string(), "the body is not JSON: expected a colon at line 2, column 7");
    }

    proptest! {
        #[test]
        fn reads_strings_as_any_json_reader_does(value in any::<String>()) {
            let json = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(read(&json), Ok(Value::Text(value.into())));
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = read(&text);
        }
    }
}

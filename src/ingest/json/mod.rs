//! JSON and NDJSON rows, read straight into the table's columns.
//!
//! `lexer` reads the text; a reader of our own, because it keeps numbers as their digits (nothing is rounded on the
//! way) and knows the row at every error.

mod lexer;

use arrow::record_batch::RecordBatch;

use self::lexer::Lexer;
use super::error::DecodeError;
use super::meter::Meter;
use super::rows::RowBuilder;
use crate::encode::Format;
use crate::tables::Table;

/// An object, or an array of objects.
pub(super) fn document(table: &'static Table, body: &[u8], meter: &Meter<'_>) -> Result<Vec<RecordBatch>, DecodeError> {
    let mut lexer = Lexer::new(body, meter)?;
    let mut rows = RowBuilder::new(table, BODY_BYTES_PER_ROW, body.len(), meter)?;
    match lexer.peek() {
        Some(b'{') => object(&mut lexer, &mut rows)?,
        Some(b'[') => array(&mut lexer, &mut rows)?,
        Some(_) => return Err(lexer.expected("an object or an array of objects")),
        None => return Err(lexer.expected("rows: the body is empty")),
    }
    match lexer.peek() {
        None => rows.finish(),
        Some(b'{') => Err(lexer.expected(&format!(
            "nothing after the first row: put rows into an array, or send one a line as {}",
            Format::Ndjson.content_type()
        ))),
        Some(_) => Err(lexer.expected("the end of the body")),
    }
}

/// One object a line; blank lines do not count.
pub(super) fn lines(table: &'static Table, body: &[u8], meter: &Meter<'_>) -> Result<Vec<RecordBatch>, DecodeError> {
    let mut lexer = Lexer::new(body, meter)?;
    let mut rows = RowBuilder::new(table, BODY_BYTES_PER_ROW, body.len(), meter)?;
    while lexer.peek().is_some() {
        object(&mut lexer, &mut rows)?;
        if !lexer.at_line_end() {
            return Err(lexer.expected("a line break after the row"));
        }
    }
    rows.finish()
}

/// A low guess, from which room for the columns is reserved.
const BODY_BYTES_PER_ROW: usize = 128;

fn array(lexer: &mut Lexer<'_>, rows: &mut RowBuilder<'_>) -> Result<(), DecodeError> {
    lexer.expect(b'[', "an array")?;
    if lexer.take(b']') {
        return Ok(());
    }
    loop {
        object(lexer, rows)?;
        if lexer.take(b']') {
            return Ok(());
        }
        lexer.expect(b',', "a comma or the end of the array")?;
    }
}

fn object(lexer: &mut Lexer<'_>, rows: &mut RowBuilder<'_>) -> Result<(), DecodeError> {
    rows.begin()?;
    if matches!(lexer.peek(), Some(b'"' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')) {
        return Err(rows.refuse("a row must be an object with the columns as its keys".to_owned()));
    }
    lexer.expect(b'{', "a row as an object")?;
    if !lexer.take(b'}') {
        loop {
            let column = rows.column(&lexer.string("a column name in quotes")?)?;
            lexer.expect(b':', "a colon after the column name")?;
            rows.set(column, &lexer.value()?)?;
            if lexer.take(b'}') {
                break;
            }
            lexer.expect(b',', "a comma or the end of the row")?;
        }
    }
    rows.end()
}

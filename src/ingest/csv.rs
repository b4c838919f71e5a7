//! CSV with a header line; an empty field is no value.
//!
//! A reader that is handed its buffers, so that it cannot take more of them than the table has columns, or than is counted.

use std::borrow::Cow;

use arrow::record_batch::RecordBatch;
use csv_core::{ReadRecordResult, Reader};

use super::error::DecodeError;
use super::meter::Meter;
use super::normalise::sources;
use super::rows::{RowBuilder, Value};
use super::untrusted;
use crate::tables::{ColumnKind, Table};

const FORMAT: &str = "CSV";
const BYTES_PER_ROW: usize = 64;
const ENDS_OF_LINES: [u8; 2] = [b'\r', b'\n'];

/// Every line after the header.
pub(super) fn text(table: &'static Table, body: &[u8], meter: &Meter<'_>) -> Result<Vec<RecordBatch>, DecodeError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    // One more than a header of the table's columns can have: whoever fills it has an unknown or a repeated one.
    let mut records = Records::new(body, table.columns.len() + 1, meter)?;
    let mut columns = Vec::new();
    if let Some(header) = records.next()? {
        sources(table, header.iter())?;
        columns.extend(header.iter().filter_map(|name| table.position(name)));
    } else {
        sources(table, std::iter::empty())?;
    }
    let mut rows = RowBuilder::new(table, BYTES_PER_ROW, body.len(), meter)?;
    while let Some(record) = records.next()? {
        if record.ends.len() != columns.len() {
            let (fields, columns, line) = (record.ends.len(), columns.len(), line_at(record.body, record.from));
            let at_least = if fields > table.columns.len() { "or more " } else { "" };
            return Err(malformed(format!(
                "line {line} has {fields} {at_least}fields, and the header has {columns} columns"
            )));
        }
        rows.begin()?;
        for (column, text) in columns.iter().zip(record.iter()) {
            let name = table.columns.get(*column).map_or("", |column| column.name);
            let column = rows.column(name)?;
            rows.set(column, &value(table, column, text))?;
        }
        rows.end()?;
    }
    rows.finish()
}

fn value<'a>(table: &Table, column: usize, text: &'a str) -> Value<'a> {
    match table.columns.get(column).map(|column| column.kind) {
        _ if text.is_empty() => Value::Null,
        Some(ColumnKind::Double | ColumnKind::BigInt | ColumnKind::Integer) => Value::Number(text.trim()),
        _ => Value::Text(Cow::Borrowed(text)),
    }
}

/// The records of a text, one at a time.
struct Records<'a> {
    reader: Reader,
    body: &'a [u8],
    /// How much of it has been read.
    read: usize,
    meter: &'a Meter<'a>,
    /// The fields of the record at hand, one after the other.
    text: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

/// A record: its fields, without the quotes.
struct Record<'a> {
    text: &'a str,
    ends: &'a [usize],
    body: &'a [u8],
    /// Where it begins in the body.
    from: usize,
}

impl<'a> Records<'a> {
    fn new(body: &'a [u8], most_fields: usize, meter: &'a Meter<'a>) -> Result<Self, DecodeError> {
        const FIRST: usize = 4 << 10;
        meter.take(FIRST as u64)?;
        Ok(Self { reader: Reader::new(), body, read: 0, meter, text: vec![0; FIRST], ends: vec![0; most_fields] })
    }

    fn next(&mut self) -> Result<Option<Record<'_>>, DecodeError> {
        let (mut written, mut fields) = (0, 0);
        // Ends of lines that are left of the record before, and empty lines: the reader leaves them out.
        let rest = self.body.get(self.read..).unwrap_or_default();
        let from = self.read + rest.iter().take_while(|byte| ENDS_OF_LINES.contains(byte)).count();
        loop {
            let text = self.text.get_mut(written..).unwrap_or_default();
            let ends = self.ends.get_mut(fields..).unwrap_or_default();
            let rest = self.body.get(self.read..).unwrap_or_default();
            let (result, read, wrote, ended) = self.reader.read_record(rest, text, ends);
            self.read += read;
            written += wrote;
            fields += ended;
            match result {
                // At the end of the text, being asked once more it gives what it has.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.widen()?,
                ReadRecordResult::OutputEndsFull | ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(None),
            }
        }
        let text = std::str::from_utf8(self.text.get(..written).unwrap_or_default());
        let line = || line_at(self.body, from);
        let text = text.map_err(|_| malformed(format!("the record that begins in line {} is not UTF-8", line())))?;
        Ok(Some(Record { text, ends: self.ends.get(..fields).unwrap_or_default(), body: self.body, from }))
    }

    /// Twice the room for a record.
    fn widen(&mut self) -> Result<(), DecodeError> {
        let now = self.text.len();
        self.meter.take(2 * now as u64)?;
        self.text.reserve_exact(now);
        self.text.resize(2 * now, 0);
        Ok(())
    }
}

impl Record<'_> {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(self.ends).map(|(start, end)| self.text.get(start..*end).unwrap_or_default())
    }
}

/// The line of a place in a text, as an editor numbers it: quoted ends of lines count, and `\r\n` is one.
fn line_at(body: &[u8], place: usize) -> usize {
    let before = body.iter().zip(body.iter().skip(1).chain([&0])).take(place);
    1 + before.filter(|(byte, next)| **byte == b'\n' || (**byte == b'\r' && **next != b'\n')).count()
}

fn malformed(reason: String) -> DecodeError {
    untrusted::malformed(FORMAT)(&reason)
}

//! CSV with a header line; an empty field is no value. A line with more or fewer fields than the header is rejected.

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::{Input, PIECE, Pieces, SourceError};
use crate::transfer::cell::{Cell, Rows};
use crate::transfer::mapping::Columns;

const FORMAT: &str = "CSV";

/// Reads the header.
pub(super) fn read(input: Input) -> Result<(Columns, Box<dyn Pieces>), SourceError> {
    // Ragged lines are found here, one by one, and not by the library, which would end at the first.
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(input.bytes);
    let header = reader.headers().map_err(|error| failed(&input.name, error))?;
    let names: Vec<String> = header.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect();
    let columns = Columns { seen: names.len(), names };
    let width = columns.seen;
    Ok((columns, Box::new(Lines { name: input.name, reader, width })))
}

struct Lines<R> {
    name: String,
    reader: Reader<R>,
    width: usize,
}

impl<R: std::io::Read + Send> Pieces for Lines<R> {
    fn next(&mut self) -> Result<Option<Box<dyn Rows>>, SourceError> {
        let mut records = Vec::with_capacity(PIECE);
        while records.len() < PIECE {
            let mut record = ByteRecord::new();
            if !self.reader.read_byte_record(&mut record).map_err(|error| failed(&self.name, error))? {
                break;
            }
            records.push(record);
        }
        let piece = Records { records, width: self.width };
        Ok((!piece.records.is_empty()).then(|| Box::new(piece) as Box<dyn Rows>))
    }
}

struct Records {
    records: Vec<ByteRecord>,
    width: usize,
}

impl Rows for Records {
    fn count(&self) -> usize {
        self.records.len()
    }

    fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        let field = self.records.get(row).and_then(|record| record.get(column)).unwrap_or_default();
        match std::str::from_utf8(field) {
            Ok("") | Err(_) => Cell::Null,
            Ok(text) => Cell::Text(text.into()),
        }
    }

    fn fault(&self, row: usize) -> Option<(String, String)> {
        let record = self.records.get(row)?;
        let shown = || record.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(",");
        if record.len() != self.width {
            return Some((shown(), format!("is a line of {} fields under a header of {}", record.len(), self.width)));
        }
        let text = record.iter().all(|field| std::str::from_utf8(field).is_ok());
        (!text).then(|| (shown(), "is not UTF-8".to_owned()))
    }
}

fn failed(name: &str, error: csv::Error) -> SourceError {
    let reason = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => SourceError::Unreadable { name: name.to_owned(), source },
        _ => SourceError::Malformed { name: name.to_owned(), format: FORMAT, reason },
    }
}

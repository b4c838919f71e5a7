//! Arrow IPC. A file is a stream between a mark at its start and a table of contents at its end, and is read as one, so
//! that both forms may come through a pipe.

use std::io::{self, Cursor, Read};

use arrow::ipc::reader::StreamReader;

use super::columnar::{ArrowRows, names};
use super::{Input, Pieces, SourceError, malformed};
use crate::transfer::cell::Rows;
use crate::transfer::mapping::Columns;

const FORMAT: &str = "Arrow IPC";
/// How a file begins.
pub(super) const FILE_MAGIC: &[u8] = b"ARROW1";
/// Everything in the format begins at a multiple of so many bytes.
const WORD: usize = 8;

/// Reads the schema.
pub(super) fn read(input: Input) -> Result<(Columns, Box<dyn Pieces>), SourceError> {
    let Input { name, bytes } = input;
    let stream = stream(bytes).map_err(|source| SourceError::Unreadable { name: name.clone(), source })?;
    let reader = StreamReader::try_new(stream, None).map_err(malformed(&name, FORMAT))?;
    let columns = names(&reader.schema());
    Ok((columns, Box::new(Batches { name, reader })))
}

/// The stream, without the mark of a file and the zeros after it.
fn stream<R: Read>(mut bytes: R) -> io::Result<impl Read> {
    let mut word = [0; WORD];
    bytes.read_exact(&mut word)?;
    if word.starts_with(FILE_MAGIC) {
        word = [0; WORD];
        while word == [0; WORD] {
            bytes.read_exact(&mut word)?;
        }
    }
    Ok(Cursor::new(word).chain(bytes))
}

struct Batches<R> {
    name: String,
    reader: StreamReader<R>,
}

impl<R: Read + Send> Pieces for Batches<R> {
    fn next(&mut self) -> Result<Option<Box<dyn Rows>>, SourceError> {
        let batch = self.reader.next().transpose().map_err(malformed(&self.name, FORMAT))?;
        batch.map(|batch| ArrowRows::boxed(&batch).map_err(malformed(&self.name, FORMAT))).transpose()
    }
}

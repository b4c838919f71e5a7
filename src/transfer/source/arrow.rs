//! Arrow IPC. A file is a stream between a mark at its start and a table of contents at its end, and is read as one, so
//! that both forms may come through a pipe.

use std::io::{BufRead, BufReader, Read};

use arrow::ipc::reader::StreamReader;

use super::columnar::{ArrowRows, names};
use super::{Input, Pieces, SourceError, malformed};
use crate::transfer::cell::Rows;
use crate::transfer::mapping::Columns;

const FORMAT: &str = "Arrow IPC";
/// How a file begins; two bytes more bring it to a multiple of eight.
pub(super) const FILE_MAGIC: &[u8] = b"ARROW1";
const FILE_START: usize = 8;

/// Reads the schema.
pub(super) fn read(input: Input) -> Result<(Columns, Box<dyn Pieces>), SourceError> {
    let Input { name, mut bytes } = input;
    let unreadable = |source| SourceError::Unreadable { name: name.clone(), source };
    if bytes.fill_buf().map_err(unreadable)?.starts_with(FILE_MAGIC) {
        bytes.consume(FILE_START);
    }
    let reader = StreamReader::try_new(bytes, None).map_err(malformed(&name, FORMAT))?;
    let columns = names(&reader.schema());
    Ok((columns, Box::new(Batches { name, reader })))
}

struct Batches<R> {
    name: String,
    reader: StreamReader<BufReader<R>>,
}

impl<R: Read + Send> Pieces for Batches<R> {
    fn next(&mut self) -> Result<Option<Box<dyn Rows>>, SourceError> {
        let batch = self.reader.next().transpose().map_err(malformed(&self.name, FORMAT))?;
        batch.map(|batch| ArrowRows::boxed(&batch).map_err(malformed(&self.name, FORMAT))).transpose()
    }
}

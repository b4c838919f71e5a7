//! The dictionaries of a stream.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::read_dictionary;

use super::message::Message;
use super::{buffers, malformed, rows, unreadable};
use crate::ingest::MAX_ROWS;
use crate::ingest::error::DecodeError;
use crate::ingest::meter::Meter;

/// Bytes of dictionaries that may be copied and looked through, all told: each addition copies what there was before it,
/// and each batch looks through all of it again.
const WORK: u64 = 4 << 30;

/// What columns refer to, by the number of the dictionary.
pub(super) struct Dictionaries<'a> {
    schema: SchemaRef,
    meter: &'a Meter<'a>,
    values: HashMap<i64, ArrayRef>,
    /// What all of them keep allocated.
    kept: u64,
    work: u64,
}

impl<'a> Dictionaries<'a> {
    pub(super) fn new(schema: SchemaRef, meter: &'a Meter<'a>) -> Self {
        Self { schema, meter, values: HashMap::new(), kept: 0, work: 0 }
    }

    /// The dictionaries as they are now.
    pub(super) fn values(&self) -> &HashMap<i64, ArrayRef> {
        &self.values
    }

    /// Counts that a batch is read with them.
    pub(super) fn count_use(&mut self) -> Result<(), DecodeError> {
        self.count_work(self.values.values().map(length).sum())
    }

    /// Takes a dictionary in, or an addition to one.
    pub(super) fn read(&mut self, message: &Message<'_>) -> Result<(), DecodeError> {
        let header = message.header.header_as_dictionary_batch();
        let Some((header, batch)) = header.and_then(|header| Some((header, header.data()?))) else {
            return Err(malformed("a dictionary has no values"));
        };
        if rows(&batch)? > MAX_ROWS as u64 {
            return Err(DecodeError::TooManyRows(MAX_ROWS));
        }
        let others = self.meter.used().saturating_sub(self.kept);
        let data = buffers::admit(message, &batch, self.meter)?;
        if header.isDelta() {
            let before = self.values.get(&header.id()).map_or(0, length);
            self.meter.take(before.saturating_add(data.len() as u64))?;
            self.count_work(before)?;
        }
        read_dictionary(&data, header, &self.schema, &mut self.values, &message.header.version())
            .map_err(unreadable)?;
        let values: Vec<ArrayRef> = self.values.values().cloned().collect();
        self.kept = self.meter.kept(&values);
        self.meter.settle(others.saturating_add(self.kept));
        Ok(())
    }

    fn count_work(&mut self, bytes: u64) -> Result<(), DecodeError> {
        self.work = self.work.saturating_add(bytes);
        let laborious = "its dictionaries are read again and again in too many pieces";
        if self.work <= WORK { Ok(()) } else { Err(DecodeError::TooLaborious(laborious)) }
    }
}

/// Bytes of the values, wherever they are.
fn length(values: &ArrayRef) -> u64 {
    values.to_data().get_slice_memory_size().unwrap_or(usize::MAX) as u64
}

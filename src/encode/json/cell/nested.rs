//! Values that hold other values.

use arrow::array::{AnyDictionaryArray, Array, ListLikeArray, MapArray, StructArray};
use arrow::error::ArrowError;

use super::scalar::Display;
use super::{Cell, Column};
use crate::encode::json::text::write_string;

/// Lists of every kind are JSON arrays.
pub(super) struct List<'a, L> {
    list: &'a L,
    elements: Column<'a>,
}

impl<'a, L: ListLikeArray> List<'a, L> {
    pub(super) fn new(list: &'a L) -> Result<Self, ArrowError> {
        Ok(Self { list, elements: Column::new(list.values(), false)? })
    }
}

impl<L: ListLikeArray> Cell for List<'_, L> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        let range = self.list.element_range(row);
        let first = range.start;
        out.push(b'[');
        for element in range {
            if element != first {
                out.push(b',');
            }
            self.elements.write(element, out);
        }
        out.push(b']');
    }
}

/// Structs are JSON objects.
pub(super) struct Struct<'a> {
    /// Each with its key: `"name":`.
    fields: Vec<(Vec<u8>, Column<'a>)>,
}

impl<'a> Struct<'a> {
    pub(super) fn new(array: &'a StructArray) -> Result<Self, ArrowError> {
        let fields = array.fields().iter().zip(array.columns()).map(|(field, column)| {
            let mut key = Vec::new();
            write_string(field.name(), &mut key);
            key.push(b':');
            Ok((key, Column::new(column, false)?))
        });
        Ok(Self { fields: fields.collect::<Result<_, ArrowError>>()? })
    }
}

impl Cell for Struct<'_> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        out.push(b'{');
        for (position, (key, column)) in self.fields.iter_mut().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            out.extend_from_slice(key);
            column.write(row, out);
        }
        out.push(b'}');
    }
}

/// Maps are JSON objects, whose keys are the text of the map's keys.
pub(super) struct Map<'a> {
    map: &'a MapArray,
    keys: Display<'a>,
    values: Column<'a>,
}

impl<'a> Map<'a> {
    pub(super) fn new(map: &'a MapArray) -> Result<Self, ArrowError> {
        Ok(Self { map, keys: Display::new(map.keys())?, values: Column::new(map.values(), false)? })
    }
}

impl Cell for Map<'_> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        let offset = |row: usize| self.map.offsets().get(row).map_or(0, |offset| usize::try_from(*offset).unwrap_or(0));
        let (first, end) = (offset(row), offset(row + 1));
        out.push(b'{');
        for entry in first..end {
            if entry != first {
                out.push(b',');
            }
            self.keys.write(entry, out);
            out.push(b':');
            self.values.write(entry, out);
        }
        out.push(b'}');
    }
}

/// Dictionary-encoded values are written as the values themselves.
pub(super) struct Dictionary<'a> {
    keys: Vec<usize>,
    values: Column<'a>,
}

impl<'a> Dictionary<'a> {
    pub(super) fn new(array: &'a dyn AnyDictionaryArray) -> Result<Self, ArrowError> {
        // An empty dictionary means that every row is null, and no key is ever looked up.
        let keys = if array.values().is_empty() { Vec::new() } else { array.normalized_keys() };
        Ok(Self { keys, values: Column::new(array.values(), false)? })
    }
}

impl Cell for Dictionary<'_> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        match self.keys.get(row) {
            Some(key) => self.values.write(*key, out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

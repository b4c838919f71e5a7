//! One JSON object a line; blank lines do not count. A line that is no object is rejected.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Input, PIECE, Pieces, SourceError};
use crate::transfer::cell::{Cell, Rows};
use crate::transfer::mapping::Columns;

/// A line of the file: its object, or the line and what is wrong with it.
type Line = Result<Map<String, Value>, (String, String)>;

/// Reads the first rows, to know the columns. Rows name theirs one by one, so that any of `wanted` may still come.
pub(super) fn read(input: Input, wanted: &[String]) -> Result<(Columns, Box<dyn Pieces>), SourceError> {
    let mut lines = Lines { input, names: Arc::default(), head: VecDeque::new(), late: Vec::new() };
    lines.head = lines.take()?.into();
    let mut names: Vec<String> = Vec::new();
    for row in lines.head.iter().flatten() {
        let new: Vec<String> = row.keys().filter(|name| !names.contains(name)).cloned().collect();
        names.extend(new);
    }
    let seen = names.len();
    names.extend(wanted.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
    lines.names = names.clone().into();
    Ok((Columns { names, seen }, Box::new(lines)))
}

struct Lines {
    input: Input,
    names: Arc<[String]>,
    head: VecDeque<Line>,
    late: Vec<String>,
}

impl Lines {
    fn take(&mut self) -> Result<Vec<Line>, SourceError> {
        let mut rows = Vec::with_capacity(PIECE);
        let mut line = Vec::new();
        while rows.len() < PIECE {
            line.clear();
            let read = self.input.bytes.read_until(b'\n', &mut line);
            let read = read.map_err(|source| SourceError::Unreadable { name: self.input.name.clone(), source })?;
            if read == 0 {
                break;
            }
            let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
            if !text.is_empty() {
                rows.push(object(text));
            }
        }
        Ok(rows)
    }
}

impl Pieces for Lines {
    fn next(&mut self) -> Result<Option<Box<dyn Rows>>, SourceError> {
        let rows = if self.head.is_empty() { self.take()? } else { self.head.drain(..).collect() };
        for name in rows.iter().flatten().flat_map(Map::keys) {
            if !self.names.contains(name) && !self.late.contains(name) {
                self.late.push(name.clone());
            }
        }
        let piece = Objects { rows, names: self.names.clone() };
        Ok((!piece.rows.is_empty()).then(|| Box::new(piece) as Box<dyn Rows>))
    }

    fn late_columns(&self) -> &[String] {
        &self.late
    }
}

fn object(line: &[u8]) -> Line {
    serde_json::from_slice(line)
        .map_err(|error| (String::from_utf8_lossy(line).into_owned(), format!("is no JSON object: {error}")))
}

struct Objects {
    rows: Vec<Line>,
    names: Arc<[String]>,
}

impl Rows for Objects {
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        let value = self.names.get(column).and_then(|name| match self.rows.get(row) {
            Some(Ok(object)) => object.get(name),
            _ => None,
        });
        match value {
            None | Some(Value::Null) => Cell::Null,
            Some(Value::Bool(value)) => Cell::Boolean(*value),
            Some(Value::Number(number)) => match (number.as_i128(), number.as_f64()) {
                (Some(integer), _) => Cell::Integer(integer),
                (None, Some(float)) => Cell::Float(float),
                (None, None) => Cell::Digits(number.to_string().into()),
            },
            Some(Value::String(text)) => Cell::Text(text.into()),
            Some(nested) => Cell::Nested(nested.to_string()),
        }
    }

    fn fault(&self, row: usize) -> Option<(String, String)> {
        self.rows.get(row)?.as_ref().err().cloned()
    }
}

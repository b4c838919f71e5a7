//! What the footer of a file claims.

use super::malformed;
use super::thrift::Thrift;
use crate::ingest::error::DecodeError;
use crate::ingest::meter::Meter;
use crate::ingest::normalise::sources;
use crate::tables::Table;

/// What a byte of the footer may become in memory: numbers and lists of structs are much longer there.
const UNFOLDED: u64 = 64;
const MAGIC: &[u8] = b"PAR1";

/// Refuses a footer whose lists are longer than it is, whose columns are not the table's, or that would take too much
/// memory. A schema of groups within groups is none that a table has, and reading one takes a stack as deep.
pub(super) fn check(table: &'static Table, body: &[u8], meter: &Meter<'_>) -> Result<(), DecodeError> {
    let footer = footer(body).ok_or_else(|| malformed("it does not end with the footer of one"))?;
    meter.take_each(footer.len(), UNFOLDED)?;
    let mut names = Vec::new();
    Thrift::new(footer).structure(|thrift, field, kind| {
        if field == 2 {
            Thrift::expect_list(kind)?;
            let mut root = true;
            thrift.list(|thrift, kind| {
                Thrift::expect_struct(kind)?;
                let (mut name, mut children) = ("", 0);
                thrift.structure(|thrift, field, kind| {
                    match field {
                        4 => name = thrift.text(kind)?,
                        5 => children = thrift.number(kind)?,
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                match (std::mem::replace(&mut root, false), children) {
                    (true, _) => {}
                    (false, 0) if names.len() <= table.columns.len() => names.push(name),
                    (false, 0) => {}
                    (false, _) => {
                        let reason = "holds lists, maps or groups, which no column of a table is".to_owned();
                        return Err(match table.position(name) {
                            Some(_) => DecodeError::Column { column: name.to_owned(), reason },
                            None => DecodeError::unknown_column(table, name, None),
                        });
                    }
                }
                Ok(())
            })?;
            return Ok(true);
        }
        Ok(false)
    })?;
    sources(table, names.into_iter()).map(drop)
}

/// The footer, which is before its length and the mark at the end.
fn footer(body: &[u8]) -> Option<&[u8]> {
    let (rest, magic) = body.split_last_chunk::<4>()?;
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let start = rest.len().checked_sub(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    rest.get(start..).filter(|_| magic == MAGIC)
}

//! The engine's write-ahead log, as far as one has to look into it beside the engine.
//!
//! The engine takes a log that it cannot read for one that was cut off: it goes on without a word, and overwrites the
//! rest with the next commit. So the parts of the log are counted here. What is in them is the engine's own affair.

use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Read, Result};
use std::path::Path;

/// A part may be as large as this and be cut off; one that says it is larger has a damaged length.
const LARGEST_PART: u64 = 16 << 20;
/// The length of a part and its checksum, which stand before it.
const PREFIX: u64 = 16;
/// The version of the log whose parts can be counted, and those whose parts cannot: old ones have no lengths, and what
/// is in encrypted ones is hidden.
const COUNTABLE: u64 = 2;
const UNCOUNTABLE: [u64; 2] = [1, 3];
/// Fields of the first part: what it is,
const KIND: u16 = 100;
/// the version of the log,
const VERSION: u16 = 101;
/// the database that it belongs to,
const DATABASE: u16 = 102;
/// how often that has been checkpointed,
const ITERATION: u16 = 103;
/// and no more fields.
const END: u16 = 0xffff;
/// The part that ends a transaction, and its length.
const COMMIT: [u8; 5] = [100, 0, 100, 0xff, 0xff];

/// How far a log can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Bytes up to the end of its last whole transaction.
    pub committed: u64,
    /// Bytes.
    pub length: u64,
    /// What follows the last whole part is not the beginning of one.
    pub damaged: bool,
}

impl Extent {
    /// Bytes that no transaction is made of.
    pub fn rest(&self) -> u64 {
        self.length - self.committed
    }
}

/// Counts the parts of a log that end before `limit`. `None` where they cannot be counted.
pub fn examine(path: &Path, limit: u64) -> Result<Option<Extent>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut reader = Counted { reader: BufReader::new(file), position: 0 };
    let mut extent = Extent { committed: 0, length, damaged: false };
    match reader.first_part() {
        Ok(COUNTABLE) => {}
        Ok(version) if UNCOUNTABLE.contains(&version) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Some(extent)),
        Err(error) if error.kind() != ErrorKind::InvalidData => return Err(error),
        _ => return Ok(Some(Extent { damaged: true, ..extent })),
    }
    extent.committed = reader.position;
    while length - reader.position >= PREFIX {
        let size = u64::from_le_bytes(reader.bytes()?);
        let checksum = u64::from_le_bytes(reader.bytes()?);
        let end = reader.position.saturating_add(size);
        if size < COMMIT.len() as u64 || end > length {
            // Blocks that the file system has not written yet are zeros.
            extent.damaged = size > LARGEST_PART || (end <= length && (size, checksum) != (0, 0));
            break;
        }
        if end > limit {
            break;
        }
        let is_commit = reader.bytes()? == COMMIT && size == COMMIT.len() as u64;
        reader.skip(end)?;
        if is_commit {
            extent.committed = end;
        }
    }
    Ok(Some(extent))
}

/// A reader that knows where it is.
struct Counted {
    reader: BufReader<File>,
    position: u64,
}

impl Counted {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.position += N as u64;
        Ok(bytes)
    }

    fn skip(&mut self, end: u64) -> Result<()> {
        self.reader.seek_relative(i64::try_from(end - self.position).map_err(Error::other)?)?;
        self.position = end;
        Ok(())
    }

    /// Reads the first part, which has no length before it, and gives the version of the log.
    fn first_part(&mut self) -> Result<u64> {
        let mut version = 0;
        loop {
            match u16::from_le_bytes(self.bytes()?) {
                KIND | ITERATION => drop(self.number()?),
                VERSION => version = self.number()?,
                DATABASE => {
                    let digits = self.number()?;
                    (0..digits).try_for_each(|_| self.number().map(drop))?;
                }
                END => return Ok(version),
                _ => return Err(ErrorKind::InvalidData.into()),
            }
        }
    }

    /// A number in groups of seven bits, the lowest first.
    fn number(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.bytes()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u64 = u64::MAX;

    fn examined(bytes: &[u8], limit: u64) -> Option<Extent> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        examine(file.path(), limit).unwrap()
    }

    fn part(content: &[u8]) -> Vec<u8> {
        [&(content.len() as u64).to_le_bytes(), &7_u64.to_le_bytes(), content].concat()
    }

    /// A first part of either kind, and two transactions.
    fn log(with_database: bool) -> (Vec<u8>, [u64; 3]) {
        let database: &[u8] = if with_database { &[0x66, 0, 2, 0x90, 1, 0x6b, 0x67, 0, 0] } else { &[] };
        let mut log = [&[0x64, 0, 0x62, 0x65, 0, 2], database, &[0xff, 0xff]].concat();
        let mut ends = [log.len() as u64; 3];
        for end in &mut ends[1..] {
            log.extend([part(&[9; 100]), part(&COMMIT)].concat());
            *end = log.len() as u64;
        }
        (log, ends)
    }

    #[test]
    fn whole_transactions_are_counted() {
        for with_database in [false, true] {
            let (log, [_, first, second]) = log(with_database);
            assert_eq!(examined(&log, ALL), Some(Extent { committed: second, length: second, damaged: false }));
            assert_eq!(examined(&log, second - 1).unwrap().committed, first);
        }
    }

    #[test]
    fn a_log_that_was_cut_off_anywhere_ends_with_its_last_whole_transaction() {
        let (log, [header, first, second]) = log(true);
        for length in 0..log.len() as u64 {
            let found = examined(&log[..length as usize], ALL).unwrap();
            let committed = [second, first, header, 0].into_iter().find(|end| *end <= length).unwrap();
            assert_eq!(found, Extent { committed, length, damaged: false });
        }
        let zeros = [log.clone(), vec![0; 4_096]].concat();
        assert_eq!(
            examined(&zeros, ALL).unwrap(),
            Extent { committed: second, length: second + 4_096, damaged: false }
        );
    }

    #[test]
    fn what_is_no_log_is_damaged_and_an_old_version_is_not_counted() {
        for garbage in [b"these are notes, not a log".as_slice(), &[0xff; 50], &[0; 50]] {
            assert_eq!(
                examined(garbage, ALL),
                Some(Extent { committed: 0, length: garbage.len() as u64, damaged: true })
            );
        }
        let (mut log, [header, ..]) = log(false);
        log[header as usize + 5] = 1;
        assert_eq!(examined(&log, ALL).unwrap(), Extent { committed: header, length: log.len() as u64, damaged: true });
        log[5] = 1;
        assert_eq!(examined(&log, ALL), None);
    }
}

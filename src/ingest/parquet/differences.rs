//! Texts that are stored by what they share: `DELTA_LENGTH_BYTE_ARRAY` and `DELTA_BYTE_ARRAY`.
//!
//! Their lengths are stored as differences, packed into as few bits as they need. The library makes room for as many as
//! are claimed, and a text that shares all but a byte with the one before it is as long as that one.

use super::malformed;
use super::thrift::Thrift;
use crate::ingest::error::DecodeError;

const DELTA_LENGTH_BYTE_ARRAY: i64 = 6;
const DELTA_BYTE_ARRAY: i64 = 7;
/// Writers use 128.
const LONGEST_BLOCK: u64 = 1 << 16;

/// Whether values of that encoding are stored like this.
pub(super) fn are_in(encoding: i64) -> bool {
    [DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY].contains(&encoding)
}

/// Bytes that decoding a page of at most `most` such values takes: room for the lengths, and for whole texts.
pub(super) fn unfolded(encoding: i64, page: &[u8], most: u64) -> Result<u64, DecodeError> {
    const LENGTH: u64 = 4;
    let mut reader = Thrift::new(page);
    let first = Lengths::read(&mut reader, most)?;
    if encoding == DELTA_LENGTH_BYTE_ARRAY {
        return Ok(LENGTH * first.count);
    }
    let second = Lengths::read(&mut reader, most)?;
    if first.count != second.count {
        return Err(malformed("its texts have more beginnings than ends"));
    }
    // Texts are gathered in room that grows to twice of what is in it.
    Ok(2 * LENGTH * first.count + 3 * (first.sum + second.sum))
}

/// Lengths of texts, or of parts of them.
#[derive(Debug, PartialEq, Eq)]
struct Lengths {
    count: u64,
    sum: u64,
}

impl Lengths {
    /// Reads at most `most` lengths in `DELTA_BINARY_PACKED`.
    fn read(reader: &mut Thrift<'_>, most: u64) -> Result<Self, DecodeError> {
        let (block, parts, count) = (reader.varint()?, reader.varint()?, reader.varint()?);
        let mut length = integer(reader)?;
        if count > most {
            return Err(malformed("a page has fewer values than it says"));
        }
        let part = block.checked_div(parts).filter(|part| part * parts == block && part.is_multiple_of(32));
        let Some(part) = part.filter(|part| *part > 0 && block <= LONGEST_BLOCK) else { return Err(damaged()) };
        let mut sum = 0;
        let mut add = |length: i32| -> Result<(), DecodeError> {
            sum += u64::try_from(length).map_err(|_| damaged())?;
            Ok(())
        };
        if count > 0 {
            add(length)?;
        }
        let mut left = count.saturating_sub(1);
        while left > 0 {
            let least = integer(reader)?;
            for width in reader.bytes(parts)? {
                if left == 0 {
                    // Parts without values are not stored.
                    break;
                }
                let mut bits = Bits::new(reader.bytes(u64::from(*width) * part / 8)?, *width)?;
                for _ in 0..left.min(part) {
                    length = length.wrapping_add(least).wrapping_add(bits.next());
                    add(length)?;
                }
                left = left.saturating_sub(part);
            }
        }
        Ok(Self { count, sum })
    }
}

/// Numbers of the same width, one after the other.
struct Bits<'a> {
    rest: std::slice::Iter<'a, u8>,
    width: u32,
    held: u64,
    held_bits: u32,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8], width: u8) -> Result<Self, DecodeError> {
        if width > 32 {
            Err(damaged())
        } else {
            Ok(Self { rest: bytes.iter(), width: width.into(), held: 0, held_bits: 0 })
        }
    }

    fn next(&mut self) -> i32 {
        while self.held_bits < self.width {
            self.held |= u64::from(self.rest.next().copied().unwrap_or(0)) << self.held_bits;
            self.held_bits += 8;
        }
        let value = self.held & ((1 << self.width) - 1);
        self.held >>= self.width;
        self.held_bits -= self.width;
        value as u32 as i32
    }
}

fn integer(reader: &mut Thrift<'_>) -> Result<i32, DecodeError> {
    i32::try_from(reader.integer()?).map_err(|_| damaged())
}

fn damaged() -> DecodeError {
    malformed("the lengths of its texts are damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 128 values to a block of four parts, the first of which is 5.
    fn lengths(count: u8, widths: [u8; 4], data: &[u8]) -> Vec<u8> {
        [&[0x80, 1, 4, count, 10, 0][..], &widths, data].concat()
    }

    #[test]
    fn lengths_are_added_up() {
        let read = |bytes: &[u8], most| Lengths::read(&mut Thrift::new(bytes), most);
        assert_eq!(read(&lengths(1, [0; 4], &[]), 1), Ok(Lengths { count: 1, sum: 5 }));
        assert_eq!(read(&lengths(40, [0; 4], &[]), 40), Ok(Lengths { count: 40, sum: 200 }));
        let rising = lengths(5, [2, 0, 0, 0], &[0b0101_0101, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(read(&rising, 5), Ok(Lengths { count: 5, sum: 5 + 6 + 7 + 8 + 9 }));
        assert!(read(&rising, 4).is_err());
        assert!(read(&rising[..12], 5).is_err());
        assert!(read(&lengths(5, [33, 0, 0, 0], &[0; 200]), 5).is_err());
    }
}

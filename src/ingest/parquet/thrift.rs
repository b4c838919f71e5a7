//! Thrift's compact protocol, as far as it takes to look at what a file claims.
//!
//! Nothing is allocated. Every list is as long as it says, and nothing is nested deeper than the format allows.

use super::malformed;
use crate::ingest::error::DecodeError;

/// Deeper than anything in the headers of Parquet.
const DEPTH: u32 = 24;

/// Reads values one after the other.
pub(super) struct Thrift<'a> {
    rest: &'a [u8],
}

/// The type of a value, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(u8);

impl Kind {
    const TRUE: Self = Self(1);
    const FALSE: Self = Self(2);
    const BYTE: Self = Self(3);
    const DOUBLE: Self = Self(7);
    const BINARY: Self = Self(8);
    const LIST: Self = Self(9);
    const SET: Self = Self(10);
    const MAP: Self = Self(11);
    const STRUCT: Self = Self(12);

    fn is_integer(self) -> bool {
        (4..=6).contains(&self.0)
    }
}

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads the fields of a struct: `field` is given the number and the type of each, and either reads its value and
    /// says so, or leaves it, and it is passed over.
    pub(super) fn structure(
        &mut self,
        mut field: impl FnMut(&mut Self, i16, Kind) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut number: i16 = 0;
        loop {
            let header = self.byte()?;
            if header == 0 {
                return Ok(());
            }
            let kind = Kind(header & 0x0f);
            number = match header >> 4 {
                0 => i16::try_from(self.integer()?).map_err(|_| broken())?,
                step => number.checked_add(step.into()).ok_or_else(broken)?,
            };
            if !field(self, number, kind)? {
                self.skip(kind, DEPTH)?;
            }
        }
    }

    /// Reads a list, giving each element to `element`.
    pub(super) fn list(
        &mut self,
        mut element: impl FnMut(&mut Self, Kind) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let (kind, length) = self.list_header()?;
        (0..length).try_for_each(|_| element(self, kind))
    }

    /// Reads an integer of a field, whose type must be one.
    pub(super) fn number(&mut self, kind: Kind) -> Result<i64, DecodeError> {
        if kind.is_integer() { self.integer() } else { Err(broken()) }
    }

    /// Reads an integer of 32 bits: the library would cut off what is more.
    pub(super) fn small_number(&mut self, kind: Kind) -> Result<i64, DecodeError> {
        let number = self.number(kind)?;
        if i32::try_from(number).is_ok() { Ok(number) } else { Err(broken()) }
    }

    /// Reads a struct of a field, or of a list, which must be one.
    pub(super) fn expect_struct(kind: Kind) -> Result<(), DecodeError> {
        if kind == Kind::STRUCT { Ok(()) } else { Err(broken()) }
    }

    /// A list of a field, which must be one.
    pub(super) fn expect_list(kind: Kind) -> Result<(), DecodeError> {
        if kind == Kind::LIST { Ok(()) } else { Err(broken()) }
    }

    /// Reads a text of a field, whose type must be one.
    pub(super) fn text(&mut self, kind: Kind) -> Result<&'a str, DecodeError> {
        if kind != Kind::BINARY {
            return Err(broken());
        }
        std::str::from_utf8(self.binary()?).map_err(|_| broken())
    }

    /// A truth value of a field is in its type.
    pub(super) fn is_false(kind: Kind) -> bool {
        kind == Kind::FALSE
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self, kind: Kind, depth: u32) -> Result<(), DecodeError> {
        let Some(depth) = depth.checked_sub(1) else { return Err(malformed("its headers are nested too deeply")) };
        match kind {
            Kind::TRUE | Kind::FALSE => {}
            Kind::BYTE => drop(self.byte()?),
            Kind::DOUBLE => drop(self.take(8)?),
            Kind::BINARY => drop(self.binary()?),
            Kind::LIST | Kind::SET => {
                let (kind, length) = self.list_header()?;
                for _ in 0..length {
                    self.skip_element(kind, depth)?;
                }
            }
            Kind::MAP => {
                let length = self.length()?;
                if length > 0 {
                    let kinds = self.byte()?;
                    for _ in 0..length {
                        self.skip_element(Kind(kinds >> 4), depth)?;
                        self.skip_element(Kind(kinds & 0x0f), depth)?;
                    }
                }
            }
            Kind::STRUCT => self.structure(|thrift, _, kind| thrift.skip(kind, depth).map(|()| true))?,
            kind if kind.is_integer() => drop(self.integer()?),
            _ => return Err(broken()),
        }
        Ok(())
    }

    /// Truth values of lists take a byte each.
    fn skip_element(&mut self, kind: Kind, depth: u32) -> Result<(), DecodeError> {
        match kind {
            Kind::TRUE | Kind::FALSE => self.byte().map(drop),
            kind => self.skip(kind, depth),
        }
    }

    fn list_header(&mut self) -> Result<(Kind, usize), DecodeError> {
        let header = self.byte()?;
        let length = match header >> 4 {
            15 => self.length()?,
            short => short.into(),
        };
        // Every element takes a byte at least.
        if length > self.rest.len() {
            return Err(broken());
        }
        Ok((Kind(header & 0x0f), length))
    }

    fn binary(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length()?;
        self.take(length)
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(self.varint()?).map_err(|_| broken())
    }

    /// An integer, signed.
    pub(super) fn integer(&mut self) -> Result<i64, DecodeError> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// An integer, unsigned.
    pub(super) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(broken())
    }

    /// Bytes as they are.
    pub(super) fn bytes(&mut self, length: u64) -> Result<&'a [u8], DecodeError> {
        self.take(usize::try_from(length).map_err(|_| broken())?)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (byte, rest) = self.rest.split_first().ok_or_else(broken)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(broken)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn broken() -> DecodeError {
    malformed("its headers break off or are damaged")
}

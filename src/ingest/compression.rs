//! What lies around a whole body: `Content-Encoding`.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;
use zstd::zstd_safe;

use super::error::{DecodeError, shortened};
use crate::budget::Allowance;

/// A way to compress a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `gzip`
    Gzip,
    /// `zstd`
    Zstd,
}

/// What is decompressed at a time.
const PIECE: usize = 128 << 10;
/// What a decompressor takes for itself, apart from what it has to remember of its output.
const DECOMPRESSOR_BYTES: u64 = 512 << 10;
/// The most that a zstd decompressor remembers.
const LARGEST_WINDOW: u64 = 128 << 20;

impl Encoding {
    /// The one that the header names; none for `identity`.
    pub fn parse(name: &str) -> Result<Option<Self>, String> {
        match name.trim().to_ascii_lowercase().as_str() {
            "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "zstd" => Ok(Some(Self::Zstd)),
            _ => Err(shortened(name)),
        }
    }
}

/// The body as it was before it was compressed, of at most `limit` bytes. It is counted on `allowance` before it grows.
pub fn decompress(encoding: Encoding, body: &[u8], limit: usize, allowance: &Allowance) -> Result<Bytes, DecodeError> {
    let before = allowance.used();
    allowance.take(DECOMPRESSOR_BYTES)?;
    let mut output = Output { bytes: Vec::new(), limit, allowance };
    let decompressed = match encoding {
        Encoding::Gzip => output.read(MultiGzDecoder::new(body)),
        Encoding::Zstd => frames(body, &mut output),
    };
    decompressed.map_err(|stopped| match stopped {
        Stopped::Unreadable(error) => malformed(encoding, &error),
        Stopped::Refused(error) => error,
    })?;
    let bytes = output.bytes;
    allowance.settle(before.saturating_add(bytes.capacity() as u64));
    Ok(bytes.into())
}

/// Decompresses zstd, frame by frame. A frame that says how long it is goes straight to its place; of another one the
/// decompressor remembers as much as its header says.
fn frames(mut body: &[u8], output: &mut Output<'_>) -> Result<(), Stopped> {
    while !body.is_empty() {
        let length = zstd_safe::find_frame_compressed_size(body).map_err(|_| damaged())?;
        let (frame, rest) = body.split_at_checked(length).ok_or_else(damaged)?;
        body = rest;
        if let Ok(Some(size)) = zstd_safe::get_frame_content_size(frame) {
            let size = usize::try_from(size).map_err(|_| output.too_long())?;
            output.grow(size)?;
            let allowance = output.allowance;
            if output.bytes.is_empty() {
                zstd::bulk::Decompressor::new()?.decompress_to_buffer(frame, &mut output.bytes)?;
            } else {
                allowance.take(size as u64).map_err(DecodeError::from)?;
                output.bytes.extend(zstd::bulk::decompress(frame, size)?);
                allowance.give_back(size as u64);
            }
            continue;
        }
        let window = window(frame).unwrap_or(LARGEST_WINDOW).min(LARGEST_WINDOW);
        output.allowance.take(window).map_err(DecodeError::from)?;
        output.read(ZstdDecoder::with_buffer(frame)?.single_frame())?;
        output.allowance.give_back(window);
    }
    Ok(())
}

/// What the decompressor of a frame has to remember, as the header of the frame says (RFC 8878, 3.1.1.1.2).
fn window(frame: &[u8]) -> Option<u64> {
    let descriptor = frame.get(5)?;
    let (exponent, mantissa) = (descriptor >> 3, descriptor & 7);
    let base = 1_u64 << (10 + exponent);
    Some(base + base / 8 * u64::from(mantissa))
}

/// Why a body was not decompressed.
enum Stopped {
    Unreadable(io::Error),
    Refused(DecodeError),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl From<DecodeError> for Stopped {
    fn from(error: DecodeError) -> Self {
        Self::Refused(error)
    }
}

fn damaged() -> Stopped {
    Stopped::Unreadable(io::Error::other("it breaks off or is damaged"))
}

fn malformed(encoding: Encoding, error: &io::Error) -> DecodeError {
    let format = match encoding {
        Encoding::Gzip => "compressed with gzip",
        Encoding::Zstd => "compressed with zstd",
    };
    DecodeError::Malformed { format, reason: shortened(&error.to_string()) }
}

/// What has been decompressed.
struct Output<'a> {
    bytes: Vec<u8>,
    limit: usize,
    allowance: &'a Allowance,
}

impl Output<'_> {
    /// Takes all that a decompressor gives.
    fn read(&mut self, mut input: impl Read) -> Result<(), Stopped> {
        let mut piece = vec![0; PIECE];
        loop {
            let length = input.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            self.grow(length)?;
            self.bytes.extend_from_slice(piece.get(..length).unwrap_or_default());
        }
    }

    /// Makes room for `more`, by half of what there is at least.
    fn grow(&mut self, more: usize) -> Result<(), DecodeError> {
        let (length, capacity) = (self.bytes.len(), self.bytes.capacity());
        let needed = length.checked_add(more).filter(|needed| *needed <= self.limit).ok_or_else(|| self.too_long())?;
        if needed > capacity {
            let wanted = needed.max((capacity + capacity / 2).min(self.limit));
            self.allowance.take((wanted - capacity) as u64)?;
            self.bytes.reserve_exact(wanted - length);
        }
        Ok(())
    }

    fn too_long(&self) -> DecodeError {
        DecodeError::TooManyBytes(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// A frame that does not say how long it is.
    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 1).unwrap()
    }

    /// A frame that does.
    fn zstd_whole(text: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(text, 1).unwrap()
    }

    #[test]
    fn what_was_compressed_comes_back_counted() {
        let text = b"twenty bytes of text".repeat(50_000);
        for (encoding, body) in [
            (Encoding::Gzip, gzip(&text)),
            (Encoding::Zstd, zstd(&text)),
            (Encoding::Gzip, [gzip(&text[..9]), gzip(&text[9..])].concat()),
            (Encoding::Zstd, zstd_whole(&text)),
            (Encoding::Zstd, [zstd(&text[..9]), zstd_whole(&text[9..])].concat()),
        ] {
            let allowance = Allowance::alone(8 << 20);
            let read = decompress(encoding, &body, text.len(), &allowance).unwrap();
            assert!(read == text);
            assert!((read.len() as u64..2 * read.len() as u64).contains(&allowance.used()), "{}", allowance.used());
            let refused = decompress(encoding, &body, text.len() - 1, &Allowance::alone(8 << 20));
            assert_eq!(refused, Err(DecodeError::TooManyBytes(text.len() - 1)));
            let refused = decompress(encoding, &body, text.len(), &Allowance::alone(1 << 20));
            assert_eq!(refused, Err(DecodeError::TooLarge { limit: 1 << 20 }));
            let cut = decompress(encoding, &body[..body.len() - 5], text.len(), &Allowance::alone(8 << 20));
            assert!(matches!(cut, Err(DecodeError::Malformed { .. })), "{cut:?}");
        }
    }

    #[test]
    fn names_are_those_of_http() {
        assert_eq!(Encoding::parse("GZIP"), Ok(Some(Encoding::Gzip)));
        assert_eq!(Encoding::parse("zstd"), Ok(Some(Encoding::Zstd)));
        assert_eq!(Encoding::parse("identity"), Ok(None));
        assert_eq!(Encoding::parse("br"), Err("br".to_owned()));
    }
}

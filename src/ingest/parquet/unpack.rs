//! Compressed pages.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use parquet::basic::Compression;

use super::malformed;
use crate::ingest::error::DecodeError;

/// Refuses pages that the library would unpack to more than they say. Most it unpacks no further; of gzip it takes all
/// that comes, so that is unpacked once before, keeping nothing.
pub(super) fn check(compression: Compression, packed: &[u8], length: u64) -> Result<(), DecodeError> {
    match compression {
        Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_) | Compression::LZ4_RAW => Ok(()),
        Compression::GZIP(_) => {
            let mut unpacked = MultiGzDecoder::new(packed).take(length.saturating_add(1));
            match io::copy(&mut unpacked, &mut io::sink()) {
                Ok(unpacked) if unpacked == length => Ok(()),
                Ok(_) => Err(malformed("a page is not as long as it says")),
                Err(error) => Err(malformed(&error.to_string())),
            }
        }
        other => Err(malformed(&format!("its compression {other} is not taken: use zstd, snappy, gzip or none"))),
    }
}

/// What is in a page, which is `length` bytes.
pub(super) fn unpack(compression: Compression, packed: &[u8], length: usize) -> Result<Vec<u8>, DecodeError> {
    let unpacked = match compression {
        Compression::UNCOMPRESSED => Ok(packed.to_vec()),
        Compression::ZSTD(_) => zstd::bulk::decompress(packed, length),
        Compression::LZ4_RAW => lz4_flex::block::decompress(packed, length).map_err(io::Error::other),
        Compression::SNAPPY => {
            let mut unpacked = vec![0; length];
            let written = snap::raw::Decoder::new().decompress(packed, &mut unpacked).map_err(io::Error::other);
            written.map(|written| {
                unpacked.truncate(written);
                unpacked
            })
        }
        Compression::GZIP(_) => {
            let mut unpacked = Vec::with_capacity(length);
            MultiGzDecoder::new(packed).take(length as u64).read_to_end(&mut unpacked).map(|_| unpacked)
        }
        other => Err(io::Error::other(format!("its compression {other} is not taken"))),
    };
    unpacked.map_err(|error| malformed(&error.to_string()))
}

//! The size of a file and the hash of its bytes.

use std::fs::File;
use std::hash::Hasher;
use std::io::{self, Read};
use std::path::Path;

use twox_hash::XxHash64;

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 1 << 18;

/// How many bytes, and their XXH64 with seed 0.
#[derive(Default, Clone)]
pub struct Digest {
    /// How many bytes.
    pub bytes: u64,
    hash: XxHash64,
}

impl Digest {
    /// Reads a file.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let (mut digest, mut chunk) = (Self::default(), vec![0; CHUNK_BYTES]);
        loop {
            match file.read(&mut chunk) {
                Ok(0) => return Ok(digest),
                Ok(length) => digest.add(chunk.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes bytes in.
    pub fn add(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.hash.write(chunk);
    }

    /// The hash, as 16 hexadecimal digits.
    pub fn hash(&self) -> String {
        format!("{:016x}", self.hash.finish())
    }
}

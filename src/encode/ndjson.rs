//! NDJSON: one JSON object a line.

use super::json::{Options, write_parts};
use super::{ByteStream, Parts};

/// The rows of every part, each as one line; parts may differ in shape. No rows, no bytes.
pub fn ndjson_parts(parts: Parts) -> ByteStream {
    write_parts(Options::default(), Vec::new(), b'\n', parts, |rows| if rows > 0 { b"\n".to_vec() } else { Vec::new() })
}

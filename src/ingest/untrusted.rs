//! Binary formats from outside, in the hands of libraries.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::{DecodeError, shortened};

/// Runs a library's reader over a body. Crafted bytes can make such a reader panic: that is the body's fault, and is
/// answered as such.
pub(super) fn read<T>(format: &'static str, read: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    // The reader and all that it has built are dropped, so that no broken state is ever looked at.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(DecodeError::Malformed { format, reason: "it breaks the rules of the format".to_owned() })
    })
}

/// The error of a body that a library could not read.
pub(super) fn malformed(format: &'static str) -> impl Fn(&dyn std::fmt::Display) -> DecodeError {
    move |error| DecodeError::Malformed { format, reason: shortened(&error.to_string()) }
}

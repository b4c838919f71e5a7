//! Counts what decoding a body allocates, before it is allocated.

use std::ops::Range;

use arrow::array::{Array, ArrayData, ArrayRef};
use arrow::buffer::Buffer;

use super::error::DecodeError;
use crate::budget::Allowance;

/// What one body may still allocate.
pub(super) struct Meter<'a> {
    allowance: &'a Allowance,
    /// Where the body is: what stays there was counted when it was received.
    body: Range<usize>,
}

impl<'a> Meter<'a> {
    /// Counts on `allowance` for `body`.
    pub(super) fn new(allowance: &'a Allowance, body: &[u8]) -> Self {
        let start = body.as_ptr() as usize;
        Self { allowance, body: start..start + body.len() }
    }

    /// Counts `bytes` that are about to be allocated.
    pub(super) fn take(&self, bytes: u64) -> Result<(), DecodeError> {
        Ok(self.allowance.take(bytes)?)
    }

    /// Counts `count` things of `bytes` each.
    pub(super) fn take_each(&self, count: usize, bytes: u64) -> Result<(), DecodeError> {
        self.take((count as u64).saturating_mul(bytes))
    }

    /// What is counted now.
    pub(super) fn used(&self) -> u64 {
        self.allowance.used()
    }

    /// Goes back to a smaller amount: what was counted since has been freed.
    pub(super) fn settle(&self, used: u64) {
        self.allowance.settle(used);
    }

    /// What `arrays` keep allocated beside the body. What they share counts once.
    pub(super) fn kept(&self, arrays: &[ArrayRef]) -> u64 {
        let mut seen = Vec::new();
        arrays.iter().map(|array| self.kept_by(&array.to_data(), &mut seen)).sum()
    }

    fn kept_by(&self, data: &ArrayData, seen: &mut Vec<usize>) -> u64 {
        let validity = data.nulls().map(|nulls| nulls.buffer());
        let own: u64 = data.buffers().iter().chain(validity).map(|buffer| self.allocated(buffer, seen)).sum();
        own + data.child_data().iter().map(|child| self.kept_by(child, seen)).sum::<u64>()
    }

    fn allocated(&self, buffer: &Buffer, seen: &mut Vec<usize>) -> u64 {
        let place = buffer.data_ptr().as_ptr() as usize;
        if self.body.contains(&place) || seen.contains(&place) {
            return 0;
        }
        seen.push(place);
        buffer.capacity() as u64
    }
}

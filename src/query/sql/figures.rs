//! What runs of users' SQL, and what became of it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::batch::ReadError;

/// What runs now, and how much there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Workers with a query.
    pub running: usize,
    /// Workers without one.
    pub idle: usize,
    /// Queries that may run at one time.
    pub places: usize,
    /// Memory that workers have taken or are promised, in bytes.
    pub memory: u64,
    /// All that they may take together, in bytes.
    pub memory_limit: u64,
}

/// Counts queries that were stopped, by what stopped them.
#[derive(Debug, Default)]
pub struct Stopped {
    time: AtomicU64,
    memory: AtomicU64,
    crash: AtomicU64,
}

impl Stopped {
    /// A query ended with an error. Most are about its text, and are not counted.
    pub fn note(&self, error: &ReadError) {
        match error {
            ReadError::TimedOut(_) => add(&self.time),
            ReadError::OutOfMemory(_) | ReadError::NoMemory => add(&self.memory),
            _ => {}
        }
    }

    /// A query had to end because others have the memory.
    pub fn note_memory(&self) {
        add(&self.memory);
    }

    /// A worker broke down, or was ended by somebody else.
    pub fn note_crash(&self) {
        add(&self.crash);
    }

    /// All of them, by cause.
    pub fn counts(&self) -> [(&'static str, u64); 3] {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [("time", count(&self.time)), ("memory", count(&self.memory)), ("crash", count(&self.crash))]
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

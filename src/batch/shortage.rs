//! Too little space on the database's disk: who writes says so, whoever sends or looks sees it.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Shortage {
    /// Bytes that are free on the disk.
    pub free: u64,
    /// Bytes that have to be free before rows are taken.
    pub needed: u64,
}

impl fmt::Display for Shortage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the database's disk is full: {} are free and {} have to be. Make room on it, or lower --min-free-space; rows \
             are taken again by themselves as soon as there is room",
            Bytes(self.free),
            Bytes(self.needed)
        )
    }
}

/// A number of bytes, for a person.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 30 => write!(formatter, "{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
            bytes if bytes >= 1 << 20 => write!(formatter, "{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
            bytes => write!(formatter, "{} KiB", bytes >> 10),
        }
    }
}

/// Whether rows are refused for want of space. Clones share it.
#[derive(Debug, Clone)]
pub struct Gate {
    shortage: Arc<watch::Sender<Option<Shortage>>>,
}

impl Gate {
    pub(super) fn open() -> Self {
        Self { shortage: Arc::new(watch::Sender::new(None)) }
    }

    /// What is missing now, if anything is.
    pub fn shortage(&self) -> Option<Shortage> {
        *self.shortage.borrow()
    }

    /// Says what is missing, or that nothing is any more; true when that is new.
    pub fn set(&self, shortage: Option<Shortage>) -> bool {
        self.shortage.send_replace(shortage).is_some() != shortage.is_some()
    }

    /// Follows it.
    pub fn watch(&self) -> watch::Receiver<Option<Shortage>> {
        self.shortage.subscribe()
    }
}

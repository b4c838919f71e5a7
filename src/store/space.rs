//! Space on the database's disk, some of which stays free: a checkpoint that finds none is the end of the engine.

use std::path::{Path, PathBuf};

use super::files;
use crate::batch::{Gate, Shortage};

/// At most this part of a disk stays free.
const PART_OF_DISK: u64 = 6;
/// The log that a checkpoint works off takes at most this part of what stays free. What the checkpoint writes is about as
/// much, and the last rows of each table that were written before, once more.
const PART_FOR_LOG: u64 = 4;
/// Bounds of the log: at the lower one checkpoints come often, at the upper one they take long.
const LOG_BYTES: std::ops::RangeInclusive<u64> = 1_000_000..=128_000_000;
/// Space has to grow by this part of what stays free before rows are taken again, so that it does not come and go.
const PART_TO_GROW: u64 = 16;

/// Bytes of a disk.
#[derive(Debug, Clone, Copy)]
pub struct Disk {
    /// All of it.
    pub total: u64,
    /// What this program may still take.
    pub free: u64,
}

impl Disk {
    /// The disk that holds a database; `None` where that cannot be found out.
    #[cfg(unix)]
    pub fn of(path: &Path) -> Option<Self> {
        let disk = rustix::fs::statvfs(files::directory_of(path)).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        Some(Self { total: bytes(disk.f_blocks), free: bytes(disk.f_bavail) })
    }

    /// Not found out on this system.
    #[cfg(not(unix))]
    pub fn of(_: &Path) -> Option<Self> {
        None
    }

    /// What stays free of it when `wanted` should.
    pub fn floor(&self, wanted: u64) -> u64 {
        wanted.min(self.total / PART_OF_DISK)
    }
}

/// How large the log of a database becomes before the engine checkpoints, in bytes.
pub fn checkpoint_threshold(floor: u64) -> u64 {
    (floor / PART_FOR_LOG).clamp(*LOG_BYTES.start(), *LOG_BYTES.end())
}

/// Lets rows in while there is space.
pub struct Space {
    path: PathBuf,
    log: PathBuf,
    floor: u64,
    gate: Gate,
}

impl Space {
    /// Watches the disk of the database at `path`, of which `wanted` bytes stay free.
    pub fn new(path: &Path, wanted: u64, gate: Gate) -> Self {
        let floor = Disk::of(path).map_or(wanted, |disk| disk.floor(wanted));
        Self { path: path.to_owned(), log: files::log_of(path), floor, gate }
    }

    /// Whether there is none, as of the last look.
    pub fn is_short(&self) -> bool {
        self.gate.shortage().is_some()
    }

    /// Whether a checkpoint of the log, as long as it is, cannot run out of space.
    pub fn has_room_for_checkpoint(&self) -> bool {
        let needed = self.log_bytes().saturating_add(self.floor / PART_FOR_LOG);
        Disk::of(&self.path).is_none_or(|disk| disk.free >= needed)
    }

    fn log_bytes(&self) -> u64 {
        files::size_of(&self.log).unwrap_or(0)
    }

    /// What has to be free: the floor, and more while something keeps a long log from being worked off.
    fn needed(&self) -> u64 {
        self.floor.max(self.log_bytes().saturating_add(self.floor / 2))
    }

    /// Looks whether there is space at all, and for `bytes` of rows. Without space for these rows there may be some for
    /// others.
    pub fn check(&self, bytes: usize) -> Result<(), Shortage> {
        let free = Disk::of(&self.path).map_or(u64::MAX, |disk| disk.free);
        let needed = self.needed();
        let more = if self.is_short() { self.floor / PART_TO_GROW } else { 0 };
        if free < needed.saturating_add(more) {
            return Err(self.lacks(Shortage { free, needed: needed.saturating_add(more) }));
        }
        self.suffices();
        let needed = needed.saturating_add(bytes as u64);
        if free < needed { Err(Shortage { free, needed }) } else { Ok(()) }
    }

    /// What is missing when the engine failed with `error` because the disk was full, whatever it looked like before.
    pub fn ran_out(&self, error: &str) -> Option<Shortage> {
        let full = ["No space left on device", "quota exceeded"].iter().any(|sign| error.contains(sign));
        let free = Disk::of(&self.path).map_or(0, |disk| disk.free);
        full.then(|| self.lacks(Shortage { free, needed: self.floor.max(free.saturating_add(1)) }))
    }

    fn lacks(&self, shortage: Shortage) -> Shortage {
        if self.gate.set(Some(shortage)) {
            tracing::error!(database = %self.path.display(), "no rows are stored: {shortage}");
        }
        shortage
    }

    fn suffices(&self) {
        if self.gate.set(None) {
            tracing::info!(database = %self.path.display(), "there is room on the disk: rows are stored again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_free_is_bounded_by_the_disk_and_bounds_the_log() {
        let disk = |total| Disk { total, free: 0 };
        assert_eq!(disk(1 << 40).floor(512 << 20), 512 << 20);
        assert_eq!(disk(64 << 20).floor(512 << 20), (64 << 20) / 6);
        assert_eq!(checkpoint_threshold(512 << 20), 128_000_000);
        assert_eq!(checkpoint_threshold(10_000_000), 2_500_000);
        assert_eq!(checkpoint_threshold(0), 1_000_000);
    }
}

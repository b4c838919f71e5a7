//! The memory of a worker process.

use std::fs::File;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::{Process, Workers};
use crate::batch::ReadError;
use crate::budget::Reservation;
use crate::query::sql::errors::LESS;

/// How often a worker is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How long idle workers take to end.
const GONE: Duration = Duration::from_millis(20);
/// More than the system writes about a process.
const STATUS_BYTES: usize = 4096;

/// Where the system says how much memory a process takes.
pub struct Resident {
    status: Option<File>,
}

impl Resident {
    /// The memory of the process `pid`.
    pub fn of(pid: Option<u32>) -> Self {
        Self { status: pid.and_then(|pid| File::open(format!("/proc/{pid}/status")).ok()) }
    }

    /// The bytes that it takes now, beside the program, which it shares with the server; `None` when it is gone or the system
    /// does not say.
    #[cfg(unix)]
    pub fn bytes(&self) -> Option<u64> {
        use std::os::unix::fs::FileExt;
        let mut status = [0; STATUS_BYTES];
        let length = self.status.as_ref()?.read_at(&mut status, 0).ok()?;
        let status = String::from_utf8_lossy(status.get(..length)?);
        let (_, own) = status.split_once("RssAnon:")?;
        Some(own.split_whitespace().next()?.parse::<u64>().ok()? << 10)
    }

    /// The system does not say.
    #[cfg(not(unix))]
    pub fn bytes(&self) -> Option<u64> {
        None
    }
}

impl Workers {
    /// Looks at a worker while its query runs, and returns when it has taken more than there is.
    ///
    /// Beyond what it was promised a query may take what others have not been promised.
    pub async fn watch(&self, process: Option<&Process>, memory: &mut Reservation) -> ReadError {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let Some(resident) = process.and_then(Process::resident_bytes) else { continue };
            let more = resident.saturating_sub(memory.amount());
            if more == 0 {
                continue;
            }
            match memory.try_grow(more) {
                Ok(()) => {}
                // Their memory is free as soon as they are gone.
                Err(_) if self.end_idle() => tokio::time::sleep(GONE).await,
                Err(exhausted) if exhausted.is_final() || self.is_alone() => return self.too_much(),
                Err(_) => {
                    self.stopped().note_memory();
                    return ReadError::Busy;
                }
            }
        }
    }

    /// A query wanted more than there is.
    pub fn too_much(&self) -> ReadError {
        let limit = self.memory_limit() >> 20;
        ReadError::OutOfMemory(format!("it was stopped at {limit} MiB: {LESS}"))
    }
}

//! Starting a worker.

use std::io;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Process;
use crate::batch::ReadError;
use crate::budget::Reservation;
use crate::query::sql::worker::Allowance;

/// How a worker is started.
pub enum Launcher {
    /// As a process of this program.
    Program(PathBuf),
    /// On a thread: the same code over the same stream, without what a process gives.
    #[cfg(test)]
    Thread,
}

/// A worker, at work on a query or idle. Dropping it ends its process, and gives back what it took when it is gone.
pub struct Worker {
    /// What it says.
    pub input: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    /// Where it listens.
    pub output: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its process; `None` on a thread.
    pub process: Option<Process>,
    /// The memory that it may take.
    pub memory: Reservation,
    /// Its place, while it has a query.
    pub place: Option<OwnedSemaphorePermit>,
    /// Since when it has had none.
    pub idle_since: Instant,
}

impl Launcher {
    /// Starts a worker for a query that has a place and memory.
    pub fn launch(
        &self,
        allowance: Allowance,
        place: OwnedSemaphorePermit,
        memory: Reservation,
    ) -> Result<Worker, ReadError> {
        let (input, output, process) = self.start(allowance).map_err(|error| {
            ReadError::Unavailable(format!("the process for the query could not be started ({error}): try again later"))
        })?;
        let (input, place) = (BufReader::new(input), Some(place));
        Ok(Worker { input, output, process, memory, place, idle_since: Instant::now() })
    }

    #[cfg(unix)]
    fn start(&self, allowance: Allowance) -> io::Result<Started> {
        // Closed on exec, both of them.
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let (input, output) = tokio::net::UnixStream::from_std(ours)?.into_split();
        let process = match self {
            Self::Program(program) => Some(Process::start(program, theirs.into(), allowance)?),
            #[cfg(test)]
            Self::Thread => {
                let output = theirs.try_clone()?;
                std::thread::spawn(move || crate::query::sql::worker::run(theirs, output, allowance));
                None
            }
        };
        Ok((Box::new(input), Box::new(output), process))
    }

    #[cfg(not(unix))]
    fn start(&self, _: Allowance) -> io::Result<Started> {
        Err(io::Error::other("users' SQL needs a Unix system"))
    }
}

type Started = (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>, Option<Process>);

impl Worker {
    /// Whether it is still there.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_none_or(Process::is_running)
    }

    /// The memory that it takes, in bytes, as far as that can be known.
    pub fn resident_bytes(&self) -> u64 {
        self.process.as_ref().and_then(Process::resident_bytes).unwrap_or(0)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let Some(process) = self.process.take() else { return };
        let place = self.place.take();
        let memory = self.memory.take();
        process.end(move || drop((place, memory)));
    }
}

//! The command that the server gives to itself: a process that runs users' SQL.

use std::ffi::OsString;
use std::io;

use super::error::Failure;
use crate::query::worker::{self, Allowance};

/// What a worker may take, when the arguments of the program are those of one: `sql-worker MEMORY THREADS`.
///
/// Looked at before the command line is built, which takes longer than the rest of a worker's start.
pub(super) fn read(arguments: &[OsString]) -> Option<Allowance> {
    let [_, command, memory, threads] = arguments else { return None };
    if command != worker::COMMAND {
        return None;
    }
    let number = |text: &OsString| text.to_str()?.parse().ok();
    Some(Allowance { memory: number(memory)?, threads: number(threads)? })
}

/// Runs queries until the server has gone.
pub fn run_sql_worker(allowance: Allowance) -> Result<(), Failure> {
    let (input, output) = streams().map_err(Failure::new)?;
    worker::confine(allowance).map_err(Failure::new)?;
    worker::run(input, output, allowance).map_err(Failure::new)
}

/// The stream that the server gave it as its standard input, for each direction.
#[cfg(unix)]
fn streams() -> io::Result<(std::os::unix::net::UnixStream, std::os::unix::net::UnixStream)> {
    use std::os::fd::AsFd;
    let stream = std::os::unix::net::UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    Ok((stream.try_clone()?, stream))
}

#[cfg(not(unix))]
fn streams() -> io::Result<(io::Stdin, io::Stdout)> {
    Ok((io::stdin(), io::stdout()))
}

//! A worker's process.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;

use super::end::{lost, meaning};
use super::resident::Resident;
use super::{Workers, oom};
use crate::batch::ReadError;
use crate::query::sql::worker::Allowance;

/// The hidden command of this program that is a worker.
pub const COMMAND: &str = "sql-worker";
/// What of the environment a worker gets: where libraries are.
const ENVIRONMENT: [&str; 2] = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];
/// What the allocator has to know. Memory that is reserved counts only once it is used. It reserves 64 MiB (in KiB) at a
/// time, so that larger pieces come from the system: within what is reserved it does not notice that it is refused one.
const ALLOCATOR: [(&str, &str); 3] =
    [("MIMALLOC_ARENA_EAGER_COMMIT", "0"), ("MIMALLOC_ARENA_RESERVE", "65536"), ("MIMALLOC_PURGE_DELAY", "10")];
/// Of what a worker says, this much is kept: the last of it says why it broke down.
const LAST_WORDS_BYTES: usize = 16 << 10;
/// How long a process that has closed its stream may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// The process of a worker.
pub struct Process {
    child: Child,
    resident: Resident,
    /// How many processes the system had ended for want of memory when it started.
    kills_before: u64,
    /// What it says when it breaks down.
    last_words: JoinHandle<String>,
}

impl Process {
    /// Starts `program` as a worker with `stream` to talk over.
    #[cfg(unix)]
    pub fn start(program: &Path, stream: std::os::fd::OwnedFd, allowance: Allowance) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg0(env!("CARGO_PKG_NAME"));
        command.args([COMMAND, &allowance.memory.to_string(), &allowance.threads.to_string()]);
        // Passwords and keys of the server are none of its business.
        command.env_clear();
        command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(ALLOCATOR);
        // A signal from the terminal is for the server, which ends in good order.
        command.process_group(0);
        command.stdin(Stdio::from(stream)).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let kills_before = oom::kills();
        let mut child = command.spawn()?;
        let last_words = tokio::spawn(listen(child.stderr.take()));
        Ok(Self { resident: Resident::of(child.id()), child, kills_before, last_words })
    }

    /// The memory that it takes, in bytes.
    pub fn resident_bytes(&self) -> Option<u64> {
        self.resident.bytes()
    }

    /// Whether it is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it, and calls `gone` when it is gone.
    pub fn end(mut self, gone: impl FnOnce() + Send + 'static) {
        // An error means that it has ended already.
        let _ = self.child.start_kill();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = self.child.wait().await;
                gone();
            });
        }
    }

    /// Why it has ended, for whoever waits for its result.
    pub async fn why_ended(&mut self, workers: &Workers) -> ReadError {
        let status = match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) => status,
            Ok(Err(_)) | Err(_) => return lost("it stopped answering"),
        };
        let last_words = tokio::time::timeout(PATIENCE, &mut self.last_words).await;
        let last_words = last_words.ok().and_then(Result::ok).unwrap_or_default();
        tracing::warn!(%status, last_words = last_words.trim(), "a process that runs SQL ended in the middle of a query");
        let machine_ran_out = oom::kills() > self.kills_before;
        let meaning = meaning(status, &last_words, machine_ran_out).unwrap_or_else(|| workers.too_much());
        if !matches!(meaning, ReadError::OutOfMemory(_)) {
            workers.stopped().note_crash();
        }
        meaning
    }
}

async fn listen(stderr: Option<ChildStderr>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let (mut said, mut part) = (VecDeque::new(), [0; 1024]);
    // What was read before an error is worth as much.
    while let Ok(length @ 1..) = stderr.read(&mut part).await {
        said.extend(part.iter().take(length));
        let superfluous = said.len().saturating_sub(LAST_WORDS_BYTES);
        said.drain(..superfluous);
    }
    String::from_utf8_lossy(said.make_contiguous()).into_owned()
}

//! The processes that a server has started, as the system shows them.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use crate::common::Server;

/// The processes of a server that run users' SQL and have not ended.
pub fn workers(server: &Server) -> Vec<u32> {
    children(server.pid())
}

/// Whether a process is there and has not ended.
pub fn is_running(process: u32) -> bool {
    // A process is called a zombie as soon as its first thread has ended; its parent can tell only when all have.
    let threads = fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count);
    threads > 1 || stat(process).is_some_and(|(state, _)| state != "Z" && state != "X")
}

/// Sends a signal to a process.
pub fn signal(process: u32, name: &str) {
    let sent = std::process::Command::new("kill").args([format!("-{name}"), process.to_string()]).status();
    assert!(sent.unwrap().success());
}

fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    processes
        .filter(|process| {
            stat(*process).is_some_and(|(state, of)| of == parent.to_string() && state != "Z" && state != "X")
        })
        .collect()
}

/// State and parent.
fn stat(process: u32) -> Option<(String, String)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned);
    Some((fields.next()?, fields.next()?))
}

/// The most resident memory that all the workers of a server took together, looked at all the time.
pub struct Peak {
    bytes: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    looking: Option<JoinHandle<()>>,
}

impl Peak {
    pub fn of_workers(server: &Server) -> Self {
        let (bytes, stop, parent) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)), server.pid());
        let looking = std::thread::spawn({
            let (bytes, stop) = (bytes.clone(), stop.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    bytes.fetch_max(children(parent).into_iter().map(own_bytes).sum(), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        });
        Self { bytes, stop, looking: Some(looking) }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ended = self.looking.take().map(JoinHandle::join);
    }
}

/// Memory of its own: the program it shares with the server, and one that is only just being started shares everything.
fn own_bytes(process: u32) -> u64 {
    let command = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
    if !command.contains("sql-worker") {
        return 0;
    }
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let own = status.split_once("RssAnon:").and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<u64>().ok());
    own.unwrap_or(0) << 10
}

/// A process as the server starts them, without a server.
pub struct Lone {
    child: std::process::Child,
    stream: UnixStream,
}

impl Lone {
    pub fn start(memory: usize, threads: usize) -> Self {
        let (stream, theirs) = UnixStream::pair().unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_observability-api"));
        command.args(["sql-worker", &memory.to_string(), &threads.to_string()]);
        let child = command.stdin(OwnedFd::from(theirs)).spawn().unwrap();
        Self { child, stream }
    }

    /// What it says about a query, until it is idle, broken, or silent.
    pub fn run(&mut self, sql: &str) -> Vec<String> {
        let message = json!({"Query": {"sql": sql, "parameters": null}}).to_string();
        self.stream.write_all(&u32::try_from(message.len()).unwrap().to_le_bytes()).unwrap();
        self.stream.write_all(&0_u32.to_le_bytes()).unwrap();
        self.stream.write_all(message.as_bytes()).unwrap();
        self.stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut said = Vec::new();
        while let Some(message) = self.next() {
            if message == "\"Idle\"" {
                break;
            }
            said.push(message);
        }
        said
    }

    fn next(&mut self) -> Option<String> {
        let (mut message, mut rows) = ([0; 4], [0; 4]);
        self.stream.read_exact(&mut message).ok()?;
        self.stream.read_exact(&mut rows).ok()?;
        let [message, rows] = [message, rows].map(|length| vec![0; u32::from_le_bytes(length) as usize]);
        let (mut message, mut rows) = (message, rows);
        self.stream.read_exact(&mut message).ok()?;
        self.stream.read_exact(&mut rows).ok()?;
        String::from_utf8(message).ok()
    }
}

impl Drop for Lone {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Processes that may take only so much memory together, or the system ends one of them.
pub struct Confined {
    group: PathBuf,
}

impl Confined {
    /// `None`, and a word about it, where the system does not let tests make such a group.
    pub fn to(bytes: u64) -> Option<Self> {
        let name = format!("observability-test-{}", std::process::id());
        for (parent, limit) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let confined = Self { group: Path::new(parent).join(&name) };
            // Only a group that is made by the system has this file, and a process in it can be limited.
            let is_group = fs::create_dir(&confined.group).is_ok() && confined.group.join(limit).exists();
            if is_group && fs::write(confined.group.join(limit), bytes.to_string()).is_ok() {
                return Some(confined);
            }
        }
        println!("SKIPPED: no group of processes can be limited here");
        None
    }

    pub fn add(&self, process: u32) {
        fs::write(self.group.join("cgroup.procs"), process.to_string()).unwrap();
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        let _still_used = fs::remove_dir(&self.group);
    }
}

//! The processes that a server has started, as the system shows them.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

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
                    bytes.fetch_max(children(parent).into_iter().map(resident_bytes).sum(), Ordering::Relaxed);
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

fn resident_bytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let resident =
        status.split_once("VmRSS:").and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<u64>().ok());
    resident.unwrap_or(0) << 10
}

//! The process that runs users' SQL: it plans and computes, and gets every row of the store from the server.
//!
//! It holds nothing that outlives a query, so that the server can end it at any moment: when the time or the memory of a
//! query is used up, or when its client has gone. What it cannot do is not left to its good will: see [`confine`].
//!
//! * [`Link`] is the way to the server: a thread that reads, a thread that writes, and the scans that wait for rows.
//! * `engine` runs one query after the other, on threads of its own.

mod confine;
mod engine;
mod link;
mod scan_rows;

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use super::wire::{ToWorker, frame};
pub use confine::confine;
use engine::Engine;
pub use link::Link;
use link::Outgoing;
pub use scan_rows::ScanRows;

/// The stack of every thread that plans or computes; planning descends into nested expressions. Address space only:
/// memory is taken as it is used.
const STACK_BYTES: usize = 64 << 20;

/// What a worker process may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Memory of the process, in bytes.
    pub memory: usize,
    /// Threads that compute.
    pub threads: usize,
}

/// Runs the queries that come from `input` until it ends, which is when the server has gone.
pub fn run(input: impl Read, output: impl Write + Send + 'static, allowance: Allowance) -> io::Result<()> {
    let (outgoing, messages) = mpsc::channel();
    let link = Arc::new(Link::new(outgoing));
    thread::Builder::new().name("to-server".to_owned()).spawn(move || write_all(&messages, output))?;
    let (queries, waiting) = mpsc::channel();
    let engine = thread::Builder::new().name("sql-plan".to_owned()).stack_size(STACK_BYTES);
    engine.spawn({
        let link = link.clone();
        move || Engine::start(allowance).serve(&waiting, &link)
    })?;

    let mut input = io::BufReader::new(input);
    let ended = loop {
        match frame::read(&mut input) {
            // An error means that the engine broke down; the server has been told.
            Ok(Some((ToWorker::Query(query), _))) => drop(queries.send(query)),
            Ok(Some((message, rows))) => link.receive(message, rows),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    link.close();
    ended
}

/// Writes what there is to say, until nobody reads it any more.
fn write_all(messages: &Receiver<Outgoing>, mut output: impl Write) {
    while let Ok(Outgoing { message, rows, room }) = messages.recv() {
        if frame::write(&mut output, &message, &rows).is_err() {
            return;
        }
        drop(room);
    }
}

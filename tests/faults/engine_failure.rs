//! An engine that cannot go on.
//!
//! The system refuses its writes: files may not become larger than they are (`RLIMIT_FSIZE`), from one moment to the next.

use std::path::PathBuf;

use rlimit::{INFINITY, Resource};

use crate::common::{Launch, Server, eventually};
use crate::{bodies, quotes};

const ROWS: u64 = 1_000;
/// Rows of a body that the engine writes to its file at once.
const MANY_ROWS: u64 = 100_000;

/// A server and the bodies that it has acknowledged.
struct Desk {
    server: Server,
    acknowledged: Vec<(u64, u64)>,
    sent: Vec<(u64, u64)>,
}

impl Desk {
    async fn with(rows: u64) -> Self {
        // Without a reserve on the disk the log is worked off at 1 MB.
        let server = Launch::new().arguments(["--min-free-space", "1KB"]).start().await;
        let mut desk = Self { server, acknowledged: Vec::new(), sent: Vec::new() };
        assert_eq!(desk.push(rows).await, Some(200));
        desk
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.server.path().join("data").join("observability").with_extension(extension)
    }

    fn bytes(&self, extension: &str) -> u64 {
        std::fs::metadata(self.path(extension)).map_or(0, |file| file.len())
    }

    /// From here on no file grows beyond `bytes`.
    fn limit_files(&self, bytes: u64) {
        let process = self.server.pid().try_into().unwrap();
        rlimit::prlimit(process, Resource::FSIZE, Some((bytes, INFINITY)), None).unwrap();
    }

    /// Sends the next body. `None` when the server has gone before it could say anything.
    async fn push(&mut self, rows: u64) -> Option<u16> {
        let body = self.sent.len() as u64 + 1;
        self.sent.push((body, rows));
        let request = self.server.client.post(self.server.url("/api/ingest/market_data"));
        let request = request.header("content-type", "application/json").body(quotes(body, rows).to_string());
        let status = request.send().await.ok()?.status().as_u16();
        if status == 200 {
            self.acknowledged.push((body, rows));
        }
        Some(status)
    }

    /// The program has failed: it says so, ends for its supervisor, and comes back with exactly what it acknowledged,
    /// and perhaps the whole of what was in doubt.
    async fn comes_back(mut self, in_doubt: Option<(u64, u64)>) {
        let ready = self.server.client.get(self.server.url("/health/ready")).send().await;
        let ready = ready.map(|answer| answer.status().as_u16());
        assert!(!matches!(ready, Ok(200)), "nobody is sent here any more: {ready:?}");
        assert_eq!(self.server.ended().await, Some(1), "the supervisor sees a failure");
        assert!(self.server.log().contains("start the server again"), "{}", self.server.log());

        let server = Launch::new().directory(&self.server.directory).start().await;
        let stored = bodies(&server).await;
        let with_doubt: Vec<_> = self.acknowledged.iter().copied().chain(in_doubt).collect();
        assert!(stored == self.acknowledged || stored == with_doubt, "{stored:?} instead of {:?}", self.acknowledged);
        server.get("/health/ready").await.expect(200);
        server.ingest("market_data", &quotes(1_000, ROWS)).await;
    }
}

#[tokio::test]
async fn a_commit_that_cannot_be_written_ends_the_program_and_costs_no_acknowledged_row() {
    let mut desk = Desk::with(ROWS).await;
    let log = desk.bytes("duckdb.wal");
    assert!(log > 0, "the rows are in the log");
    desk.limit_files(log + 1_000);
    assert_eq!(desk.push(ROWS).await, Some(503), "whether they are stored is not known");
    desk.comes_back(Some((2, ROWS))).await;
}

#[tokio::test]
async fn after_a_failed_commit_nothing_is_written_that_was_not_acknowledged() {
    let mut desk = Desk::with(MANY_ROWS).await;
    eventually("the first rows are in the file", async || desk.bytes("duckdb.wal").eq(&0).then_some(())).await;
    assert_eq!(desk.push(ROWS).await, Some(200));
    let log = desk.bytes("duckdb.wal");
    // The file is larger than that already: only the log cannot grow. A checkpoint would succeed.
    desk.limit_files(log + 1_000);
    assert_eq!(desk.push(ROWS).await, Some(503));
    assert_eq!(desk.server.ended().await, Some(1));
    assert!(desk.bytes("duckdb.wal") >= log, "the log is what is right, and stays for the next start");
    desk.comes_back(Some((3, ROWS))).await;
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_written_ends_the_program_and_costs_no_acknowledged_row() {
    let mut desk = Desk::with(MANY_ROWS).await;
    eventually("the first rows are in the file", async || desk.bytes("duckdb.wal").eq(&0).then_some(())).await;
    let file = desk.bytes("duckdb");
    assert!(file > 1_500_000, "{file} bytes: the log reaches its 1 MB first");
    desk.limit_files(file);
    let mut status = Some(200);
    while status == Some(200) && desk.sent.len() < 200 {
        status = desk.push(ROWS).await;
    }
    assert!(matches!(status, Some(503) | None), "it refuses, or has gone: {status:?}");
    assert!(desk.acknowledged.len() > 2);
    let in_doubt = desk.sent.last().copied();
    desk.comes_back(in_doubt).await;
}

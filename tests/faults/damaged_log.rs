//! A write-ahead log that was cut off, damaged, or is none at all.
//!
//! Each test begins with what a killed server leaves: some bodies in the file, and some in its log alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use crate::common::{Launch, Server};
use crate::{alerts, bodies, files_with, quotes};

/// Bodies that the file has, and those that only its log has as well.
const IN_FILE: u64 = 2;
const ALL: u64 = 12;
const ROWS: u64 = 500;

struct Left {
    directory: Arc<TempDir>,
}

impl Left {
    async fn behind() -> Self {
        let mut server = Server::start().await;
        for body in 1..=IN_FILE {
            server.ingest("market_data", &quotes(body, ROWS)).await;
        }
        assert_eq!(server.terminate().await, Some(0));
        let directory = server.directory.clone();
        let mut server = Launch::new().directory(&directory).start().await;
        for body in IN_FILE + 1..=ALL {
            server.ingest("market_data", &quotes(body, ROWS)).await;
        }
        server.kill();
        Self { directory }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The same once more, with another log.
    fn with_log(&self, log: &[u8]) -> Self {
        let directory = Arc::new(TempDir::new().unwrap());
        let other = Self { directory };
        std::fs::create_dir(other.data()).unwrap();
        std::fs::copy(self.data().join("observability.duckdb"), other.data().join("observability.duckdb")).unwrap();
        std::fs::write(other.log(), log).unwrap();
        other
    }

    fn log(&self) -> PathBuf {
        self.data().join("observability.duckdb.wal")
    }

    async fn start(&self) -> Server {
        Launch::new().directory(&self.directory).start().await
    }

    /// What is kept of the log, one after the other.
    fn kept(&self) -> Vec<Vec<u8>> {
        files_with(&self.data(), ".wal.unreplayable-").iter().map(|name| read(&self.data().join(name))).collect()
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

/// The number of bodies that are there: the first ones, each of them whole.
async fn whole_bodies(server: &Server) -> u64 {
    let bodies = bodies(server).await;
    let count = bodies.len() as u64;
    assert_eq!(bodies, (1..=count).map(|body| (body, ROWS)).collect::<Vec<_>>());
    assert!(count >= IN_FILE, "what is in the file is there");
    count
}

/// A server that has lost something works, and so does the next start.
async fn goes_on(mut server: Server, left: &Left) {
    let before = whole_bodies(&server).await;
    server.get("/health/ready").await.expect(200);
    server.ingest("market_data", &quotes(before + 1, ROWS)).await;
    server.kill();
    let kept = left.kept();
    let server = left.start().await;
    assert_eq!(whole_bodies(&server).await, before + 1);
    assert!(!server.log().contains("ERROR"), "{}", server.log());
    assert_eq!(left.kept(), kept, "what was kept stays, and nothing more is lost");
}

#[tokio::test]
async fn a_whole_log_is_taken_over() {
    let left = Left::behind().await;
    let server = left.start().await;
    assert_eq!(whole_bodies(&server).await, ALL);
    assert!(left.kept().is_empty());
    assert!(alerts(&server).await.iter().all(|id| id != "database_log_damaged"));
    goes_on(server, &left).await;
}

#[tokio::test]
async fn of_a_log_that_is_cut_off_every_whole_body_is_there_and_the_rest_is_kept() {
    let left = Left::behind().await;
    let log = read(&left.log());
    let mut found = Vec::new();
    for part in [0, 1, 7, 40, 250, 500, 750, 900, 999] {
        let cut = left.with_log(&log[..log.len() * part / 1_000]);
        let server = cut.start().await;
        found.push(whole_bodies(&server).await);
        let kept: usize = cut.kept().iter().map(Vec::len).sum();
        assert!(kept < log.len() / 4, "only the rest is kept: {kept} bytes");
        if kept > 0 {
            assert!(server.log().contains(&format!("its {kept} bytes")), "{}", server.log());
        }
        goes_on(server, &cut).await;
    }
    println!("bodies after each cut: {found:?}");
    assert!(found.is_sorted() && found.contains(&(ALL - 1)) && found.contains(&(IN_FILE + 2)), "{found:?}");
}

#[tokio::test]
async fn of_a_log_that_is_damaged_in_the_middle_what_comes_before_is_there_and_the_loss_is_told() {
    let left = Left::behind().await;
    let log = read(&left.log());
    let middle = log.len() / 2;
    for place in [middle, middle + 16, log.len() * 3 / 4] {
        let mut damaged = log.clone();
        damaged[place..place + 24].fill(0xa5);
        let damaged = left.with_log(&damaged);
        let server = damaged.start().await;
        let bodies = whole_bodies(&server).await;
        assert!((IN_FILE + 3..ALL).contains(&bodies), "{bodies} of {ALL} bodies");
        let kept = damaged.kept();
        assert_eq!(kept.len(), 1);
        let said = server.log();
        assert!(
            said.contains("rows are lost") && said.contains(&format!("{} bytes of the database's log", kept[0].len()))
        );
        assert!(said.contains("market_data 2025-"), "the newest row tells what is there: {said}");
        assert!(alerts(&server).await.contains(&"database_log_damaged".to_owned()));
        goes_on(server, &damaged).await;
    }
}

#[tokio::test]
async fn a_length_that_is_damaged_is_not_taken_for_the_end() {
    let left = Left::behind().await;
    let log = read(&left.log());
    // The length of the part that ends the third transaction.
    let commit = [5, 0, 0, 0, 0, 0, 0, 0];
    let place =
        log.windows(8).enumerate().filter(|(_, bytes)| *bytes == commit).map(|(place, _)| place).nth(2).unwrap();
    let mut damaged = log.clone();
    damaged[place + 5] = 1;
    let left = left.with_log(&damaged);
    let server = left.start().await;
    let bodies = whole_bodies(&server).await;
    assert!(bodies < ALL, "{bodies}");
    assert!(server.log().contains("rows are lost"), "{}", server.log());
    assert!(damaged.ends_with(&left.kept()[0]), "everything that was not taken over is kept");
    goes_on(server, &left).await;
}

#[tokio::test]
async fn what_is_no_log_is_kept_whole() {
    let left = Left::behind().await;
    let text = b"these are my notes, not a log\n".repeat(100);
    for garbage in [text, vec![0xff; 5_000], (0..9_000_u32).map(|number| (number * 7 % 251) as u8).collect()] {
        let other = left.with_log(&garbage);
        let server = other.start().await;
        assert_eq!(whole_bodies(&server).await, IN_FILE);
        assert_eq!(other.kept(), [garbage]);
        assert!(server.log().contains("rows are lost"), "{}", server.log());
        goes_on(server, &other).await;
    }
}

#[tokio::test]
async fn a_log_whose_database_is_gone_is_kept() {
    let left = Left::behind().await;
    let log = read(&left.log());
    std::fs::remove_file(left.data().join("observability.duckdb")).unwrap();
    let server = left.start().await;
    assert_eq!(bodies(&server).await, []);
    assert_eq!(left.kept(), [log]);
    assert!(server.log().contains("its database is missing"), "{}", server.log());
}

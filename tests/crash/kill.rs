//! A moment for the kill: any, or one at which something has just happened.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::clients::Clients;
use crate::common::Server;

pub const ARCHIVE: &str = "data/archive/observability";
pub const BACKUPS: &str = "data/observability.backups";
/// How long what is waited for may take; then the kill falls all the same.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// What happens just before the kill.
#[derive(Debug, Clone, Copy)]
enum Aim {
    /// Time passes.
    Nothing,
    /// A day is being written to the archive.
    Writing,
    /// A file of the archive got its name, and its rows are perhaps still in the database.
    Named,
    /// A day is archived.
    Archived,
    /// Days were dropped, and their files are being removed.
    Dropped,
    /// A backup has begun.
    Saving,
    /// A backup is complete, and old ones are being removed.
    Saved,
}

const AIMS: [Aim; 9] = [
    Aim::Nothing,
    Aim::Writing,
    Aim::Named,
    Aim::Nothing,
    Aim::Archived,
    Aim::Dropped,
    Aim::Saving,
    Aim::Nothing,
    Aim::Saved,
];

/// What was under way when the program was killed.
pub struct Fell {
    aim: &'static str,
    under_way: Vec<&'static str>,
}

impl fmt::Display for Fell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "killed {}, under way were {}", self.aim, self.under_way.join(", "))
    }
}

/// Where all kills fell.
#[derive(Default)]
pub struct Tally {
    aims: BTreeMap<&'static str, u64>,
    under_way: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub fn count(&mut self, fell: Fell) {
        *self.aims.entry(fell.aim).or_default() += 1;
        fell.under_way.into_iter().for_each(|what| *self.under_way.entry(what).or_default() += 1);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "came {:?}, under way were {:?}", self.aims, self.under_way)
    }
}

/// Kills the server at some moment.
pub async fn at_some_moment(server: &mut Server, clients: &Clients, random: &mut ChaCha8Rng) -> Fell {
    let aim = AIMS[random.random_range(0..AIMS.len())];
    let (began, since) = (Instant::now(), SystemTime::now());
    let mut hit = false;
    while !matches!(aim, Aim::Nothing) && !hit && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
        hit = aim.is_hit(server, since);
    }
    let after = match aim {
        Aim::Nothing => random.random_range(1_000..1_200_000),
        // Most often at once, and sometimes into what comes next.
        _ if random.random_bool(0.5) => 0,
        Aim::Saving => random.random_range(0..300_000),
        _ => random.random_range(0..30_000),
    };
    tokio::time::sleep(Duration::from_micros(after)).await;
    server.kill();
    let orders = &clients.orders;
    let marked = [("archive", &orders.archive), ("retention", &orders.retention), ("backup", &orders.backup)];
    let mut under_way = vec!["ingest"];
    under_way.extend(marked.iter().filter(|(_, flag)| flag.load(Ordering::SeqCst)).map(|(what, _)| *what));
    if files(&server.path().join(ARCHIVE)).iter().any(|file| is_aside(file) && is_newer(file, since)) {
        under_way.push("a file of a day");
    }
    if unfinished(&server.path().join(BACKUPS)).iter().any(|directory| is_newer(directory, since)) {
        under_way.push("files of a backup");
    }
    Fell { aim: if hit { aim.name() } else { "at any time" }, under_way }
}

impl Aim {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "at any time",
            Self::Writing => "as a day was written",
            Self::Named => "as a day's file got its name",
            Self::Archived => "as a day was archived",
            Self::Dropped => "as days were dropped",
            Self::Saving => "as a backup began",
            Self::Saved => "as a backup was complete",
        }
    }

    fn is_hit(self, server: &Server, since: SystemTime) -> bool {
        let archive = || files(&server.path().join(ARCHIVE));
        match self {
            Self::Nothing => false,
            Self::Writing => archive().iter().any(|file| is_aside(file) && is_newer(file, since)),
            Self::Named => archive().iter().any(|file| !is_aside(file) && is_newer(file, since)),
            Self::Archived => server.log().contains("a day is in the archive"),
            Self::Dropped => server.log().contains("days were dropped"),
            Self::Saving => unfinished(&server.path().join(BACKUPS)).iter().any(|path| is_newer(path, since)),
            Self::Saved => files(&server.path().join(BACKUPS))
                .iter()
                .any(|file| file.ends_with("manifest.json") && is_newer(file, since)),
        }
    }
}

/// Whether it is a file of a day that was never completed.
pub fn is_aside(file: &Path) -> bool {
    file.to_string_lossy().contains(".tmp-")
}

fn is_newer(path: &Path, since: SystemTime) -> bool {
    // It may be gone already.
    path.metadata().and_then(|file| file.modified()).is_ok_and(|changed| changed > since)
}

/// Backups without a manifest.
pub fn unfinished(backups: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(backups).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    entries.filter(|directory| !directory.join("manifest.json").exists()).collect()
}

/// All files below a directory, as far as they stay for a look.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

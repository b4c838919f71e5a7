//! Opening a database whose write-ahead log cannot be taken over whole: what can be is, the rest is kept beside it, and
//! the loss is told.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use duckdb::Connection;

use super::text::fill;
use super::write_ahead_log::{Extent, examine};
use super::{StoreError, connect, files};
use crate::config::StoreSettings;
use crate::tables::TABLES;
use crate::time::{self, Micros};

/// What the names of files say that hold some of a log.
const UNREPLAYABLE: &str = "unreplayable";

/// Some of the log that was not taken over.
#[derive(Debug, Clone)]
pub struct Loss {
    /// Where it is kept.
    pub kept: PathBuf,
    /// How much of it there is, in bytes.
    pub bytes: u64,
    /// When the log was last written.
    pub written: Option<Micros>,
    /// Why it was not taken over; `None` for the beginning of a write that nobody was told of.
    pub reason: Option<String>,
}

/// Opens the database. What is in the log is changed only where the engine refuses it.
pub fn open(settings: &StoreSettings) -> Result<(Connection, Vec<Loss>), StoreError> {
    let path = &settings.path;
    let log = files::log_of(path);
    let mut losses = Vec::new();
    forget_an_empty_file(path)?;
    if !path.exists() && log.exists() {
        // The engine would delete it.
        losses.push(set_aside(path, 0, "its database is missing".into())?);
    }
    let mut refusals = 0;
    loop {
        let refused = match connect(path, settings) {
            Ok(connection) => {
                losses.extend(keep_what_was_left_out(&log)?);
                return Ok((connection, losses));
            }
            Err(error) => error.to_string(),
        };
        if !is_refusal_of_log(&refused) || !log.exists() {
            return Err(explain(path, &refused));
        }
        // The log up to the damaged place is good, unless it is refused again.
        let good = if refusals == 0 { readable(&log, &refused)? } else { 0 };
        losses.push(set_aside(path, good, first_line(&refused).into())?);
        refusals += 1;
    }
}

/// Tells what is missing. The tables are there by now.
pub fn report(connection: &Connection, losses: &[Loss]) -> Result<(), StoreError> {
    if losses.is_empty() {
        return Ok(());
    }
    let newest = newest(connection)?;
    for loss in losses {
        let (kept, bytes) = (loss.kept.display(), loss.bytes);
        match &loss.reason {
            None => tracing::warn!(
                "the last write to the database was not finished: its {bytes} bytes, which nobody was told are stored, \
                 are left out and kept in {kept}. {newest}"
            ),
            Some(_) => {
                tracing::error!("rows are lost: {loss}. {newest}: what was stored after these has to be sent again")
            }
        }
    }
    Ok(())
}

impl std::fmt::Display for Loss {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let written = self.written.map_or_else(|| "some time ago".into(), time::format_naive);
        write!(
            formatter,
            "{} bytes of the database's log, last written {written}, could not be replayed ({}); they are kept in {}",
            self.bytes,
            self.reason.as_deref().unwrap_or("an unfinished write"),
            self.kept.display()
        )
    }
}

/// A file without a byte is what is left of a start that was broken off; the engine would refuse it.
fn forget_an_empty_file(path: &Path) -> Result<(), StoreError> {
    if path.exists() && files::size_of(path).map_err(unusable(path))? == 0 {
        std::fs::remove_file(path).map_err(unusable(path))?;
    }
    Ok(())
}

/// The engine has taken over the log to the end of its last whole transaction, and will write over the rest.
fn keep_what_was_left_out(log: &Path) -> Result<Option<Loss>, StoreError> {
    if files::size_of(log).map_err(unusable(log))? == 0 {
        return Ok(None);
    }
    match examine(log, u64::MAX).map_err(unusable(log))? {
        Some(extent) if extent.rest() > 0 => {
            let Extent { committed, damaged, .. } = extent;
            let reason = damaged.then(|| format!("it is damaged from byte {committed} on"));
            keep(log, committed, reason).map(Some).map_err(unusable(log))
        }
        _ => Ok(None),
    }
}

/// Where the last transaction ends before the place that the engine refuses.
fn readable(log: &Path, refusal: &str) -> Result<u64, StoreError> {
    let Some((_, place)) = refusal.split_once("at byte position ") else { return Ok(0) };
    let digits = place.split(|character: char| !character.is_ascii_digit()).next().unwrap_or_default();
    let Ok(limit) = digits.parse() else { return Ok(0) };
    Ok(examine(log, limit).map_err(unusable(log))?.map_or(0, |extent| extent.committed))
}

/// Takes everything from byte `from` on out of the log, and what was written beside a checkpoint, which comes after it.
fn set_aside(path: &Path, from: u64, reason: String) -> Result<Loss, StoreError> {
    let (log, beside) = (files::log_of(path), files::checkpoint_log_of(path));
    if beside.exists() {
        let kept = files::kept(&beside, UNREPLAYABLE);
        files::rename(&beside, &kept).map_err(unusable(&beside))?;
        tracing::error!("what was written while a checkpoint was under way is kept in {}", kept.display());
    }
    let set_aside = || {
        if from > 0 {
            let loss = keep(&log, from, Some(reason))?;
            let file = OpenOptions::new().write(true).open(&log)?;
            file.set_len(from).and_then(|()| file.sync_all())?;
            return Ok(loss);
        }
        // Takes no space on a disk that may be full.
        let loss = Loss::new(&log, from, Some(reason))?;
        files::rename(&log, &loss.kept)?;
        Ok(loss)
    };
    set_aside().map_err(unusable(&log))
}

/// Copies everything from byte `from` on.
fn keep(log: &Path, from: u64, reason: Option<String>) -> std::io::Result<Loss> {
    let loss = Loss::new(log, from, reason)?;
    let (mut source, mut kept) = (File::open(log)?, File::create_new(&loss.kept)?);
    source.seek(SeekFrom::Start(from))?;
    std::io::copy(&mut source, &mut kept)?;
    kept.sync_all()?;
    files::sync_directory(files::directory_of(log))?;
    Ok(loss)
}

impl Loss {
    fn new(log: &Path, from: u64, reason: Option<String>) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(log)?;
        let written = metadata.modified().ok().map(time::since_epoch);
        let kept = files::kept(log, UNREPLAYABLE);
        Ok(Self { kept, bytes: metadata.len().saturating_sub(from), written, reason })
    }
}

/// Whether it is the log that the engine refuses: not the database, and not for want of something that may be there at
/// the next start.
fn is_refusal_of_log(error: &str) -> bool {
    let of_log = ["replaying", "WAL checkpoint marker", "WAL was created for", "WAL does not match"];
    let of_another = [
        "Corrupt database file",
        "Out of Memory",
        "No space left",
        "quota exceeded",
        "Permission denied",
        "Input/output error",
        "Too many open files",
    ];
    let says = |signs: &[&str]| signs.iter().any(|sign| error.contains(sign));
    says(&of_log) && !says(&of_another)
}

/// What the engine says about a file, in words that say what to do.
fn explain(path: &Path, error: &str) -> StoreError {
    let (path, reason) = (path.to_owned(), first_line(error).to_owned());
    let damaged = ["not a valid DuckDB database", "orrupt database file", "Serialization Error", "INTERNAL Error"];
    if error.contains("Could not set lock on file") {
        StoreError::HeldElsewhere { path, reason }
    } else if damaged.iter().any(|sign| error.contains(sign)) || error.contains("read a database file with version") {
        StoreError::Unreadable { path, reason }
    } else {
        StoreError::NotOpened { path, reason }
    }
}

fn first_line(error: &str) -> &str {
    error.lines().next().unwrap_or(error)
}

fn newest(connection: &Connection) -> Result<String, duckdb::Error> {
    let mut tables = Vec::new();
    for table in TABLES {
        let sql = fill(include_str!("../../queries/recover/newest.sql"), table);
        let newest: Option<Micros> = connection.query_row(&sql, [], |row| row.get(0))?;
        tables.push(format!("{} {}", table.name, newest.map_or_else(|| "none".into(), time::format_naive)));
    }
    Ok(format!("The newest rows are now: {}", tables.join(", ")))
}

fn unusable(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    move |source| StoreError::Unusable { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_log_itself_is_a_reason_to_set_it_aside() {
        for refused in [
            "IO Error: Failure while replaying WAL file \"a.wal\": Corrupt WAL file: entry at byte position 66 computed",
            "Constraint Error: Failure while replaying WAL file \"a.wal\": duplicate key",
            "IO Error: This WAL was created for this database file, but the WAL checkpoint iteration does not match",
        ] {
            assert!(is_refusal_of_log(refused), "{refused}");
        }
        for other in [
            "Out of Memory Error: Failure while replaying WAL file \"a.wal\": Out of Memory",
            "IO Error: Failure while replaying WAL file \"a.wal\": No space left on device",
            "IO Error: Failure while replaying WAL file \"a.wal\": Corrupt database file: computed checksum",
            "IO Error: Could not set lock on file \"a\": Conflicting lock is held",
        ] {
            assert!(!is_refusal_of_log(other), "{other}");
        }
    }

    #[test]
    fn a_file_is_explained_by_what_can_be_done_about_it() {
        let explained = |error: &str| explain(Path::new("a.duckdb"), error).to_string();
        assert!(explained("IO Error: Could not set lock on file \"a\": held in b (PID 7)").contains("close it there"));
        assert!(explained("IO Error: Corrupt database file: computed checksum\nmore").contains("restore"));
        assert!(!explained("INTERNAL Error: assertion\nStack Trace:").contains("Stack"));
    }
}

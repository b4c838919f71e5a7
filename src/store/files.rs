//! The files beside the database: their names, and what makes a change of them last.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use super::StoreError;
use crate::time;

/// What the engine appends to the name of the database for its write-ahead log.
const LOG: &str = ".wal";
/// And for the log that it writes while it checkpoints.
const CHECKPOINT_LOG: &str = ".wal.checkpoint";
/// Names of schemas in it.
const RESERVED: [&str; 2] = ["rollup", "archive"];

/// The file whose name is that of `path` with `suffix` after it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The write-ahead log of a database.
pub fn log_of(path: &Path) -> PathBuf {
    beside(path, LOG)
}

/// What was written while a checkpoint was under way.
pub fn checkpoint_log_of(path: &Path) -> PathBuf {
    beside(path, CHECKPOINT_LOG)
}

/// A name for something that is kept: `path`, `what` it is and when this is. No such file exists.
pub fn kept(path: &Path, what: &str) -> PathBuf {
    let now = chrono::DateTime::from_timestamp_micros(time::now()).unwrap_or_default().format("%Y%m%dT%H%M%SZ");
    let first = beside(path, &format!(".{what}-{now}"));
    let others = (2..).map(|number| beside(path, &format!(".{what}-{now}-{number}")));
    std::iter::once(first.clone()).chain(others).find(|name| !name.exists()).unwrap_or(first)
}

/// The directory that holds a file.
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Bytes of a file; none when there is no such file.
pub fn size_of(path: &Path) -> std::io::Result<u64> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Makes names last that were given or taken in a directory.
pub fn sync_directory(directory: &Path) -> std::io::Result<()> {
    // Elsewhere a directory cannot be opened, and a rename lasts by itself.
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// Gives a file another name, and makes that last.
pub fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::rename(from, to)?;
    sync_directory(directory_of(to))
}

/// Creates the directory, and looks whether the file in it can be written, before the engine does: its own words do
/// not say what to do.
pub fn prepare(path: &Path) -> Result<(), StoreError> {
    let unusable = |path: &Path| {
        let path = path.to_owned();
        move |source: Error| StoreError::Unusable { path, source }
    };
    let directory = directory_of(path);
    std::fs::create_dir_all(directory).map_err(unusable(directory))?;
    if path.is_dir() {
        return Err(StoreError::Directory { path: path.to_owned() });
    }
    let stem = path.file_stem().unwrap_or_default();
    if RESERVED.iter().any(|reserved| stem.eq_ignore_ascii_case(reserved)) {
        return Err(StoreError::Reserved { path: path.to_owned() });
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unusable(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_replaces_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.duckdb");
        let names: Vec<_> = (0..3)
            .map(|_| {
                let name = kept(&path, "unreplayable");
                std::fs::write(&name, "kept").unwrap();
                name
            })
            .collect();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), names.len());
        assert!(names[0].to_str().unwrap().contains("a.duckdb.unreplayable-"), "{names:?}");
    }

    #[test]
    fn a_path_without_a_directory_is_in_the_working_directory() {
        assert_eq!(directory_of(Path::new("a.duckdb")), Path::new("."));
        assert_eq!(directory_of(Path::new("data/a.duckdb")), Path::new("data"));
    }
}

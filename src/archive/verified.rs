//! Files that were found to hold what the database says of them. A file is read to its end when it is first used after a
//! start, and again when it has changed since or when reading it has failed.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::digest::Digest;
use crate::store::ArchivedDay;

/// What was found, by the path of each file.
#[derive(Debug, Default)]
pub(super) struct Verified {
    files: Mutex<HashMap<PathBuf, Stamp>>,
}

/// What changes with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
    /// Device, number and last change of its entry, where the system has them.
    entry: [i64; 4],
}

impl Verified {
    /// Whether the file at `path` is that of `day`; what is wrong with it when it is not. Nobody may replace it meanwhile.
    pub fn check(&self, path: &Path, day: &ArchivedDay) -> Result<(), String> {
        let stamp = Stamp::of(path)?;
        if self.lock().get(path) == Some(&stamp) {
            return Ok(());
        }
        let (bytes, hash) = (stamp.bytes, day.hash.as_deref());
        if hash.is_some() && bytes != day.bytes && day.announced.iter().all(|(announced, _)| *announced != bytes) {
            return Err(format!("it has {bytes} bytes, not {}", day.bytes));
        }
        let digest = Digest::of_file(path).map_err(|error| error.to_string())?;
        if !is_of(day, &digest) {
            match hash {
                Some(_) => return Err("its bytes have changed".into()),
                // An older version wrote it and noted no hash: at least it has to be a whole file.
                None => footer(path)?,
            }
        }
        self.lock().insert(path.to_owned(), stamp);
        Ok(())
    }

    /// Takes the file that is at `path` now for what it should be.
    pub fn accept(&self, path: &Path) {
        if let Ok(stamp) = Stamp::of(path) {
            self.lock().insert(path.to_owned(), stamp);
        }
    }

    /// The file has to be read again before it is used.
    pub fn forget(&self, path: &Path) {
        self.lock().remove(path);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Stamp>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a file with this digest is that of `day`: the one that the database lists, or one that was announced to
/// replace it, whose rows are the same with those of the database.
pub(super) fn is_of(day: &ArchivedDay, found: &Digest) -> bool {
    let hash = found.hash();
    let listed = day.hash.as_ref() == Some(&hash) && day.bytes == found.bytes;
    listed || day.announced.contains(&(found.bytes, hash))
}

fn footer(path: &Path) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    ParquetRecordBatchReaderBuilder::try_new(file).map(drop).map_err(|error| error.to_string())
}

impl Stamp {
    fn of(path: &Path) -> Result<Self, String> {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return Err("it is no file".into()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err("it is missing".into()),
            Err(error) => return Err(error.to_string()),
        };
        Ok(Self { bytes: metadata.len(), modified: metadata.modified().ok(), entry: entry(&metadata) })
    }
}

#[cfg(unix)]
fn entry(metadata: &Metadata) -> [i64; 4] {
    use std::os::unix::fs::MetadataExt;
    [metadata.dev().cast_signed(), metadata.ino().cast_signed(), metadata.ctime(), metadata.ctime_nsec()]
}

#[cfg(not(unix))]
fn entry(_: &Metadata) -> [i64; 4] {
    [0; 4]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_is_listed_or_announced_and_a_change_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.parquet");
        let hash = |bytes: &[u8]| {
            let mut digest = Digest::default();
            digest.add(bytes);
            digest.hash()
        };
        let mut day = ArchivedDay {
            start: 0,
            file: "x".into(),
            late: false,
            rows: 1,
            bytes: 3,
            checksum: String::new(),
            hash: Some(hash(b"old")),
            announced: vec![(4, hash(b"next")), (5, hash(b"later"))],
        };
        let verified = Verified::default();
        let check = |bytes: Option<&[u8]>, day: &ArchivedDay| {
            match bytes {
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            verified.check(&path, day).map_err(|error| error.split(' ').next_back().unwrap_or_default().to_owned())
        };
        assert_eq!(check(Some(b"old"), &day), Ok(()));
        assert_eq!(check(Some(b"next"), &day), Ok(()));
        assert_eq!(check(Some(b"later"), &day), Ok(()));
        for (bytes, what) in [(&b"odd"[..], "changed"), (b"ne\0t", "changed"), (b"", "3"), (b"longer", "3")] {
            assert_eq!(check(Some(bytes), &day), Err(what.into()), "{bytes:?}");
        }
        assert_eq!(check(None, &day), Err("missing".into()));
        (day.hash, day.announced) = (None, Vec::new());
        assert!(check(Some(b"old"), &day).is_err(), "no Parquet file");
        assert_eq!(verified.check(directory.path(), &day), Err("it is no file".into()));
        std::fs::write(&path, "accepted").unwrap();
        verified.accept(&path);
        assert_eq!(verified.check(&path, &day), Ok(()));
        verified.forget(&path);
        assert!(verified.check(&path, &day).is_err());
    }
}

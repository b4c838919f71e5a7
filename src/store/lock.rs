//! The lock file beside the database: one server a file, and a way to find the one that has it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::StoreError;

/// Held as long as the database is open. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// Who has a database open.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Where it can be asked, `http://127.0.0.1:8000`, once it listens.
    pub address: Option<String>,
}

impl Lock {
    /// Takes the lock of the database at `path`, whose directory exists.
    pub fn acquire(path: &Path) -> Result<Self, StoreError> {
        let lock_path = lock_path(path);
        let unusable = |source| StoreError::Unusable { path: lock_path.clone(), source };
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&lock_path);
        let file = options.map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = read(&file).map_or_else(String::new, |holder| match holder.address {
                    Some(address) => format!(" (process {}, {address})", holder.pid),
                    None => format!(" (process {})", holder.pid),
                });
                return Err(StoreError::InUse { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let lock = Self { file, path: lock_path.clone() };
        if let Err(error) = lock.write(None) {
            // A disk that is full lets nothing be written and everything be read.
            tracing::warn!(path = %lock.path.display(), %error, "the lock file does not say who has the database");
        }
        Ok(lock)
    }

    /// Writes down where the server can be asked. Failing to is only logged: the lock itself holds.
    pub fn announce(&self, address: SocketAddr, secure: bool) {
        let scheme = if secure { "https" } else { "http" };
        if let Err(error) = self.write(Some(format!("{scheme}://{address}"))) {
            tracing::warn!(path = %self.path.display(), %error, "the address could not be written to the lock file");
        }
    }

    fn write(&self, address: Option<String>) -> std::io::Result<()> {
        let text = serde_json::to_vec(&Holder { pid: std::process::id(), address })?;
        let mut file = &self.file;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&text)
    }
}

/// Who has the database at `path` open now, if anybody has.
pub fn holder(path: &Path) -> Option<Holder> {
    let file = File::open(lock_path(path)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read(&file),
        _ => None,
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn read(mut file: &File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

//! The lock file beside the database: one server a file, and a way to find the one that has it and to prove to it that
//! one is its operator.

use std::fmt;
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
    token: OperatorToken,
}

/// Shows that somebody is the operator: whoever can read the lock file knows it. Made anew at every start.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct OperatorToken(String);

impl OperatorToken {
    fn random() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    /// The token as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `given` is this token. Takes as long for a wrong one whatever of it is right.
    pub fn is(&self, given: &str) -> bool {
        let differing = self.0.bytes().zip(given.bytes()).fold(0, |differing, (one, other)| differing | (one ^ other));
        self.0.len() == given.len() && differing == 0
    }
}

impl fmt::Debug for OperatorToken {
    /// Keeps it out of logs.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OperatorToken")
    }
}

/// Who has a database open.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Where it can be asked, `http://127.0.0.1:8000`, once it listens.
    pub address: Option<String>,
    /// What its operator has to show.
    pub token: OperatorToken,
}

impl Lock {
    /// Takes the lock of the database at `path`, whose directory exists.
    pub fn acquire(path: &Path) -> Result<Self, StoreError> {
        let lock_path = lock_path(path);
        let unusable = |source| StoreError::Unusable { path: lock_path.clone(), source };
        let file = open_private(&lock_path).map_err(unusable)?;
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
        let lock = Self { file, path: lock_path.clone(), token: OperatorToken::random() };
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

    /// What the operator has to show.
    pub fn token(&self) -> OperatorToken {
        self.token.clone()
    }

    fn write(&self, address: Option<String>) -> std::io::Result<()> {
        let text = serde_json::to_vec(&Holder { pid: std::process::id(), address, token: self.token.clone() })?;
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

/// A file that nobody but its owner reads, whatever it was before.
fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let file = options.mode(0o600).open(path)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = OperatorToken::random();
        assert!(token.is(token.as_str()));
        for wrong in ["", &token.as_str()[1..], &format!("{}0", token.as_str()), OperatorToken::random().as_str()] {
            assert!(!token.is(wrong), "{wrong}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_the_lock_file_even_where_it_was_open_before() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.duckdb");
        std::fs::write(lock_path(&path), "{}").unwrap();
        std::fs::set_permissions(lock_path(&path), std::fs::Permissions::from_mode(0o644)).unwrap();
        let lock = Lock::acquire(&path).unwrap();
        assert_eq!(std::fs::metadata(lock_path(&path)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(holder(&path).unwrap().token, lock.token());
    }
}

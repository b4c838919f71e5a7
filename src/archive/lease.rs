//! Which files are being read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::verified::Verified;

/// Files that questions read now, and how many of them each.
#[derive(Debug, Default)]
pub struct Leases {
    readers: Mutex<HashMap<PathBuf, usize>>,
    /// Somebody has read a file to its end.
    read: Notify,
    /// Which files hold what they should.
    pub(super) verified: Verified,
}

/// While it lives, its files are neither replaced nor removed.
#[derive(Debug)]
pub struct Lease {
    paths: Vec<PathBuf>,
    leases: Arc<Leases>,
}

impl Leases {
    /// Keeps files as they are, whether or not they exist yet.
    pub fn take(self: &Arc<Self>, paths: Vec<PathBuf>) -> Lease {
        let mut readers = self.lock();
        for path in &paths {
            *readers.entry(path.clone()).or_default() += 1;
        }
        drop(readers);
        Lease { paths, leases: self.clone() }
    }

    /// Does something to a file that nobody reads, before anybody can begin to; `None` when somebody reads it.
    pub fn unless_read<T>(&self, path: &Path, change: impl FnOnce() -> T) -> Option<T> {
        let readers = self.lock();
        if readers.contains_key(path) { None } else { Some(change()) }
    }

    /// The same as soon as nobody reads it; `None` when that takes longer than `patience`.
    pub async fn when_unread<T>(&self, path: &Path, patience: Duration, change: impl Fn() -> T) -> Option<T> {
        let until = Instant::now() + patience;
        loop {
            let mut read = std::pin::pin!(self.read.notified());
            // From here on, so that nobody goes unnoticed who ends between the look and the wait.
            read.as_mut().enable();
            if let Some(done) = self.unless_read(path, &change) {
                return Some(done);
            }
            tokio::time::timeout_at(until, read).await.ok()?;
        }
    }

    /// Held only for a look, or for a rename.
    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, usize>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// The files.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Reading has failed: whoever uses the files next looks whether they are what they should be.
    pub fn distrust(&self) {
        self.paths.iter().for_each(|path| self.leases.verified.forget(path));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut readers = self.leases.lock();
        for path in &self.paths {
            if let Some(count) = readers.get_mut(path) {
                *count -= 1;
                if *count == 0 {
                    readers.remove(path);
                }
            }
        }
        drop(readers);
        self.leases.read.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_changed_only_when_nobody_reads_it() {
        let leases = Arc::new(Leases::default());
        let (file, other) = (PathBuf::from("a"), PathBuf::from("b"));
        let first = leases.take(vec![file.clone(), other.clone()]);
        let second = leases.take(vec![file.clone()]);
        assert_eq!(leases.unless_read(&file, || ()), None);
        drop(first);
        assert_eq!(leases.unless_read(&other, || ()), Some(()));
        assert_eq!(leases.unless_read(&file, || ()), None);
        drop(second);
        assert_eq!(leases.unless_read(&file, || ()), Some(()));
    }

    #[tokio::test]
    async fn who_waits_goes_on_when_the_last_reader_has_gone() {
        let leases = Arc::new(Leases::default());
        let file = PathBuf::from("a");
        let readers = [leases.take(vec![file.clone()]), leases.take(vec![file.clone()])];
        assert_eq!(leases.when_unread(&file, Duration::ZERO, || ()).await, None);
        let waiting = leases.when_unread(&file, Duration::from_secs(60), || ());
        let (done, ()) = tokio::join!(waiting, async { drop(readers) });
        assert_eq!(done, Some(()));
    }
}

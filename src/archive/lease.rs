//! Which files are being read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files that questions read now, and how many of them each.
#[derive(Debug, Default)]
pub struct Leases {
    readers: Mutex<HashMap<PathBuf, usize>>,
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
}

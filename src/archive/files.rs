//! The files of the archive: where the database reads them, and how they come there and go.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Name;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;

use super::cache::Cache;
use super::lease::{Lease, Leases};
use super::{ArchiveError, Content, Digest, day_file, layout};
use crate::batch::{Checksum, ReadError};
use crate::location::Location;
use crate::store::ArchivedDay;

/// How long a file that is to be replaced may be read by others.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long files may take to come that nobody waits for.
const FETCH: Duration = Duration::from_secs(60);

/// The archive's files. Clones share everything.
#[derive(Clone)]
pub struct Files {
    /// Where the database reads: the archive itself, or the cache of a bucket. Absolute.
    directory: Arc<Path>,
    /// The archive, where it is in a bucket.
    cache: Option<Arc<Cache>>,
    leases: Arc<Leases>,
    runtime: Handle,
}

/// A file that the archive has.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name, relative to the archive.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// When it was last changed.
    pub changed: chrono::DateTime<chrono::Utc>,
}

impl Files {
    /// The archive at `location`. `beside` is where copies of a bucket's files are kept, up to `cache_bytes` of them.
    ///
    /// Touches neither. Must be called on a runtime.
    pub fn new(location: &Location, beside: &Path, cache_bytes: u64) -> Result<Self, ArchiveError> {
        let directory = location.directory().unwrap_or(beside);
        let directory = std::path::absolute(directory).map_err(ArchiveError::file(directory))?;
        let leases = Arc::new(Leases::default());
        let cache = match location {
            Location::Directory(_) => None,
            Location::Bucket { .. } => {
                Some(Arc::new(Cache::new(location.open()?, &directory, cache_bytes, leases.clone())?))
            }
        };
        Ok(Self { directory: directory.into(), cache, leases, runtime: Handle::current() })
    }

    /// Whether the archive is a directory of this machine, and no bucket.
    pub fn is_local(&self) -> bool {
        self.cache.is_none()
    }

    /// The one directory that the database reads.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the files of `days` can be read, as long as the lease lives. Each of them is read to its end when it is used
    /// first; one that is not what the database lists is an error that names it. Waits, for at most `limit`, until copies
    /// of a bucket's files are there; not for use on a runtime.
    pub fn lease(&self, days: &[ArchivedDay], limit: Duration) -> Result<Lease, ArchiveError> {
        let lease = self.leases.take(days.iter().map(|day| self.path(&day.file, &day.checksum)).collect());
        let wanted = || days.iter().zip(lease.paths());
        if let Some(cache) = &self.cache {
            self.runtime.block_on(cache.fetch(wanted(), limit))?;
            return Ok(lease);
        }
        let begun = Instant::now();
        for (day, path) in wanted() {
            let checked = self.leases.verified.check(path, day);
            checked.map_err(|what| ArchiveError::Unreadable { file: path.display().to_string(), what })?;
            if begun.elapsed() > limit {
                return Err(ReadError::TimedOut(limit).into());
            }
        }
        Ok(lease)
    }

    /// Begins to make the files of `days` readable and returns at once; `arrived` is told when they are, or why they are not.
    pub fn fetch(&self, days: Vec<ArchivedDay>, arrived: impl FnOnce(Result<Lease, ArchiveError>) + Send + 'static) {
        let files = self.clone();
        let Some(cache) = self.cache.clone() else {
            self.runtime.spawn_blocking(move || arrived(files.lease(&days, FETCH)));
            return;
        };
        self.runtime.spawn(async move {
            let lease = files.leases.take(days.iter().map(|day| files.path(&day.file, &day.checksum)).collect());
            let fetched = cache.fetch(days.iter().zip(lease.paths()), FETCH).await;
            arrived(fetched.map(|()| lease));
        });
    }

    /// A path for a new version of `file`, on the file system of [`Files::directory`].
    pub fn aside(&self, file: &str) -> Result<PathBuf, ArchiveError> {
        let path = self.directory.join(layout::aside(file));
        let parent = path.parent().unwrap_or(&self.directory);
        create_directories(parent).map_err(ArchiveError::file(parent))?;
        Ok(path)
    }

    /// Makes a complete file that was written [aside](Files::aside) the file of that name. What is there under that name
    /// is replaced when the database has `listed` it, and set aside when it has not. Returns when the file is durable and
    /// has been read back. A file is not replaced as long as questions read it; after some seconds that is
    /// [`ArchiveError::InUse`].
    pub async fn publish(&self, aside: &Path, file: &str, content: &Content, listed: bool) -> Result<(), ArchiveError> {
        verify(aside, file, content.checksum).await?;
        let path = self.path(file, &content.checksum.to_string());
        match &self.cache {
            Some(cache) => cache.store(aside, file, path, content, listed).await,
            None => {
                if !listed {
                    self.make_way(&path, file, content)?;
                }
                let rename = || {
                    std::fs::rename(aside, &path)?;
                    self.leases.verified.accept(&path);
                    Ok(())
                };
                let renamed = self.leases.when_unread(&path, PATIENCE, rename).await;
                renamed.ok_or_else(|| ArchiveError::InUse(file.to_owned()))?.map_err(ArchiveError::file(&path))?;
                sync_directories(&path, &self.directory)
            }
        }
    }

    /// Gives another name to what stands where a file is to go. A run that was killed leaves what the next one writes
    /// again, which may go.
    fn make_way(&self, path: &Path, file: &str, content: &Content) -> Result<(), ArchiveError> {
        if !path.try_exists().map_err(ArchiveError::file(path))? {
            return Ok(());
        }
        if path.is_file() {
            let found = Digest::of_file(path).map_err(ArchiveError::file(path))?;
            if (found.bytes, found.hash()) == (content.bytes, content.hash.clone()) {
                return Ok(());
            }
        }
        let kept = self.directory.join(layout::set_aside(file));
        std::fs::rename(path, &kept).map_err(ArchiveError::file(path))?;
        tracing::warn!(kept = %kept.display(), "a file in the archive that the database does not list was set aside");
        Ok(())
    }

    /// Removes a file that no question can name any more; true unless somebody still reads it.
    pub async fn remove(&self, file: &str) -> Result<bool, ArchiveError> {
        if let Some(cache) = &self.cache {
            cache.remove(file).await?;
            return Ok(true);
        }
        let path = self.directory.join(file);
        match self.leases.unless_read(&path, || std::fs::remove_file(&path)) {
            None => Ok(false),
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Err(ArchiveError::file(&path)(error)),
            Some(_) => {
                // The day's directory goes with its last file.
                let _ = path.parent().map(std::fs::remove_dir);
                Ok(true)
            }
        }
    }

    /// Every file below the archive, ours or not.
    pub async fn list(&self) -> Result<Vec<Found>, ArchiveError> {
        let store: Arc<dyn ObjectStore> = match &self.cache {
            Some(cache) => cache.archive(),
            None if !self.directory.exists() => return Ok(Vec::new()),
            None => Location::Directory(self.directory.to_path_buf()).open()?,
        };
        let found = store.list(None).map(|file| {
            file.map(|file| Found { name: file.location.to_string(), bytes: file.size, changed: file.last_modified })
        });
        Ok(found.try_collect().await?)
    }

    /// Where the database reads a file. A copy of an object has its checksum in its name: the object may change.
    fn path(&self, file: &str, checksum: &str) -> PathBuf {
        match &self.cache {
            Some(_) => self.directory.join(format!("{file}.{checksum}")),
            None => self.directory.join(file),
        }
    }
}

/// Reads a file back; it must hold what was written.
pub(super) async fn verify(path: &Path, file: &str, written: Checksum) -> Result<(), ArchiveError> {
    let path = path.to_owned();
    let found = tokio::task::spawn_blocking(move || day_file::checksum(&path)).await;
    let found = found.map_err(|_| ArchiveError::Stopping)??;
    if found == written {
        return Ok(());
    }
    let (expected, found) = (describe(written), describe(found));
    Err(ArchiveError::Damaged { file: file.to_owned(), expected, found })
}

fn describe(checksum: Checksum) -> String {
    format!("{} rows, checksum {checksum}", checksum.rows())
}

/// Creates a directory and those above it, durably.
pub(super) fn create_directories(path: &Path) -> std::io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|directory| !directory.exists()).collect();
    std::fs::create_dir_all(path)?;
    #[cfg(unix)]
    for directory in missing.into_iter().filter_map(Path::parent) {
        std::fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Makes a rename durable: the directory of the file, and those above it up to `top`, which may be new.
fn sync_directories(path: &Path, top: &Path) -> Result<(), ArchiveError> {
    for directory in path.ancestors().skip(1) {
        sync_directory(directory).map_err(ArchiveError::file(directory))?;
        if directory == top {
            break;
        }
    }
    Ok(())
}

/// Makes what was created or renamed in a directory last. Elsewhere a directory cannot be opened.
pub(super) fn sync_directory(directory: &Path) -> std::io::Result<()> {
    if cfg!(unix) { std::fs::File::open(directory)?.sync_all() } else { Ok(()) }
}

/// A name in the object store.
pub(super) fn object(name: &str) -> Name {
    Name::from(name)
}

/// Removes an object, which may be gone already.
pub(super) async fn delete(store: &dyn ObjectStore, name: &Name) -> Result<(), ArchiveError> {
    match store.delete(name).await {
        Err(object_store::Error::NotFound { .. }) => Ok(()),
        other => Ok(other?),
    }
}

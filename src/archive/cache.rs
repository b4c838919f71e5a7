//! Copies of a bucket's files on the local disk: the database reads files, not objects.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::buffered::BufWriter;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;

use super::files::{delete, object, verify};
use super::lease::Leases;
use super::{ArchiveError, layout};
use crate::batch::{Checksum, ReadError};

/// Files that are fetched at one time.
const FETCHES: usize = 8;

/// A bucket, and copies of its files up to a size. A copy is complete, or it is not there.
pub struct Cache {
    archive: Arc<dyn ObjectStore>,
    limit_bytes: u64,
    copies: Mutex<HashMap<PathBuf, Copy>>,
    leases: Arc<Leases>,
}

struct Copy {
    bytes: u64,
    used: Instant,
}

impl Cache {
    /// The copies that an earlier run left in `directory` count; what it did not complete is removed.
    pub fn new(
        archive: Arc<dyn ObjectStore>,
        directory: &Path,
        limit_bytes: u64,
        leases: Arc<Leases>,
    ) -> Result<Self, ArchiveError> {
        let mut copies = HashMap::new();
        for path in files_below(directory)? {
            let name = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            if matches!(layout::parse(&name), Some(layout::Named::Aside)) {
                std::fs::remove_file(&path).map_err(ArchiveError::file(&path))?;
            } else {
                let bytes = std::fs::metadata(&path).map_err(ArchiveError::file(&path))?.len();
                copies.insert(path, Copy { bytes, used: Instant::now() });
            }
        }
        Ok(Self { archive, limit_bytes, copies: Mutex::new(copies), leases })
    }

    /// The bucket.
    pub fn archive(&self) -> Arc<dyn ObjectStore> {
        self.archive.clone()
    }

    /// Returns when there is a copy of each object at its path. The paths must be leased.
    pub async fn fetch(
        &self,
        wanted: impl Iterator<Item = (&str, &PathBuf)>,
        limit: Duration,
    ) -> Result<(), ArchiveError> {
        let missing: Vec<(String, PathBuf)> =
            wanted.filter(|(_, path)| !self.has(path)).map(|(file, path)| (file.to_owned(), path.clone())).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let fetches = stream::iter(missing).map(|(file, path)| async move {
            let aside = path.with_file_name(layout::aside("rows.parquet"));
            let copied = self.download(&file, &aside).await;
            self.adopt(copied, &aside, &path)
        });
        let fetched = fetches.buffer_unordered(FETCHES).try_collect::<Vec<()>>();
        tokio::time::timeout(limit, fetched).await.map_err(|_| ReadError::TimedOut(limit))??;
        self.evict();
        Ok(())
    }

    /// Brings a local file into the bucket, aside first; the object gets its name when it has been read back. The
    /// copy that was read back stays at `path`.
    pub async fn store(&self, local: &Path, file: &str, path: PathBuf, checksum: Checksum) -> Result<(), ArchiveError> {
        let aside = object(&layout::aside(file));
        let stored = async {
            let mut source = tokio::fs::File::open(local).await.map_err(ArchiveError::file(local))?;
            let mut upload = BufWriter::new(self.archive.clone(), aside.clone());
            tokio::io::copy(&mut source, &mut upload).await.map_err(ArchiveError::file(local))?;
            upload.shutdown().await.map_err(ArchiveError::file(local))?;
            let back = path.with_file_name(layout::aside("rows.parquet"));
            let copied = match self.download(aside.as_ref(), &back).await {
                Ok(()) => verify(&back, file, checksum).await,
                Err(error) => Err(error),
            };
            self.adopt(copied, &back, &path)?;
            self.archive.copy(&aside, &object(file)).await?;
            Ok(())
        };
        let stored = stored.await;
        delete(self.archive.as_ref(), &aside).await?;
        let _ = std::fs::remove_file(local);
        self.evict();
        stored
    }

    /// Removes an object; copies of it leave the cache as others come.
    pub async fn remove(&self, file: &str) -> Result<(), ArchiveError> {
        delete(self.archive.as_ref(), &object(file)).await
    }

    async fn download(&self, file: &str, to: &Path) -> Result<(), ArchiveError> {
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).map_err(ArchiveError::file(parent))?;
        }
        let mut bytes = self.archive.get(&object(file)).await?.into_stream();
        let mut target = tokio::fs::File::create(to).await.map_err(ArchiveError::file(to))?;
        while let Some(part) = bytes.try_next().await? {
            target.write_all(&part).await.map_err(ArchiveError::file(to))?;
        }
        target.flush().await.map_err(ArchiveError::file(to))
    }

    /// A complete copy takes its name; an incomplete one goes.
    fn adopt(&self, copied: Result<(), ArchiveError>, aside: &Path, path: &Path) -> Result<(), ArchiveError> {
        let adopted = copied.and_then(|()| {
            let bytes = std::fs::metadata(aside).map_err(ArchiveError::file(aside))?.len();
            std::fs::rename(aside, path).map_err(ArchiveError::file(path))?;
            self.lock().insert(path.to_owned(), Copy { bytes, used: Instant::now() });
            Ok(())
        });
        if adopted.is_err() {
            let _ = std::fs::remove_file(aside);
        }
        adopted
    }

    fn has(&self, path: &Path) -> bool {
        match self.lock().get_mut(path) {
            Some(copy) => {
                copy.used = Instant::now();
                path.exists()
            }
            None => false,
        }
    }

    /// Removes the copies that were not used for the longest time until the rest fits; those in use stay.
    fn evict(&self) {
        let mut copies = self.lock();
        let mut bytes: u64 = copies.values().map(|copy| copy.bytes).sum();
        let mut by_age: Vec<(Instant, PathBuf)> = copies.iter().map(|(path, copy)| (copy.used, path.clone())).collect();
        by_age.sort();
        for (_, path) in by_age {
            if bytes <= self.limit_bytes {
                return;
            }
            match self.leases.unless_read(&path, || std::fs::remove_file(&path)) {
                None => {}
                Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "a copy of an archived day cannot be removed");
                }
                Some(_) => bytes -= copies.remove(&path).map_or(0, |copy| copy.bytes),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Copy>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every file below a directory, which may not exist.
fn files_below(directory: &Path) -> Result<Vec<PathBuf>, ArchiveError> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ArchiveError::file(directory)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(ArchiveError::file(directory))?.path();
        if path.is_dir() { found.extend(files_below(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

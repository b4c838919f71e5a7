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
use super::verified::is_of;
use super::{ArchiveError, Content, Digest, layout};
use crate::batch::{Checksum, ReadError};
use crate::store::ArchivedDay;

/// Files that are fetched at one time.
const FETCHES: usize = 8;

/// A bucket, and copies of its files up to a size. A copy is synced before it gets its name, and read to its end before it
/// is used first.
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
        wanted: impl Iterator<Item = (&ArchivedDay, &PathBuf)>,
        limit: Duration,
    ) -> Result<(), ArchiveError> {
        let begun = Instant::now();
        let mut missing: Vec<(ArchivedDay, PathBuf)> = Vec::new();
        for (day, path) in wanted {
            if !self.has(path, day)? {
                missing.push((day.clone(), path.clone()));
            }
            if begun.elapsed() > limit {
                return Err(ReadError::TimedOut(limit).into());
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let fetches = stream::iter(missing).map(|(day, path)| async move {
            let aside = path.with_file_name(layout::aside("rows.parquet"));
            let copied = self.copy(&day, &aside).await;
            self.adopt(copied, &aside, &path)
        });
        let fetched = fetches.buffer_unordered(FETCHES).try_collect::<Vec<()>>();
        let left = limit.saturating_sub(begun.elapsed());
        tokio::time::timeout(left, fetched).await.map_err(|_| ReadError::TimedOut(limit))??;
        self.evict();
        Ok(())
    }

    /// Copies the object of a day, which must be what the database says.
    async fn copy(&self, day: &ArchivedDay, to: &Path) -> Result<(), ArchiveError> {
        let found = self.download(&day.file, to).await?;
        if is_of(day, &found) {
            return Ok(());
        }
        let refused = |what: String| ArchiveError::Unreadable { file: format!("{} in the bucket", day.file), what };
        if day.hash.is_some() {
            return Err(refused(format!("its {} bytes are not those that were written", found.bytes)));
        }
        // An older version wrote it and noted only what its rows add up to.
        let rows =
            Checksum::parse(day.rows, &day.checksum).ok_or_else(|| refused("its checksum is not known".into()))?;
        verify(to, &day.file, rows).await
    }

    /// Brings a local file into the bucket, aside first; the object gets its name when it has been read back. What is
    /// there under that name is replaced when the database has `listed` it, and copied aside when it has not. The copy that
    /// was read back stays at `path`.
    pub async fn store(
        &self,
        local: &Path,
        file: &str,
        path: PathBuf,
        content: &Content,
        listed: bool,
    ) -> Result<(), ArchiveError> {
        let aside = object(&layout::aside(file));
        let stored = async {
            let mut source = tokio::fs::File::open(local).await.map_err(ArchiveError::file(local))?;
            let mut upload = BufWriter::new(self.archive.clone(), aside.clone());
            tokio::io::copy(&mut source, &mut upload).await.map_err(ArchiveError::file(local))?;
            upload.shutdown().await.map_err(ArchiveError::file(local))?;
            let back = path.with_file_name(layout::aside("rows.parquet"));
            let copied = match self.download(aside.as_ref(), &back).await {
                Ok(_) => verify(&back, file, content.checksum).await,
                Err(error) => Err(error),
            };
            self.adopt(copied, &back, &path)?;
            if !listed {
                self.make_way(file, content).await?;
            }
            self.archive.copy(&aside, &object(file)).await?;
            Ok(())
        };
        let stored = stored.await;
        delete(self.archive.as_ref(), &aside).await?;
        let _ = std::fs::remove_file(local);
        self.evict();
        stored
    }

    /// Copies aside what stands where a file is to go. A run that was killed leaves what the next one writes again.
    async fn make_way(&self, file: &str, content: &Content) -> Result<(), ArchiveError> {
        let mut found = Digest::default();
        let mut bytes = match self.archive.get(&object(file)).await {
            Ok(there) => there.into_stream(),
            Err(object_store::Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        while let Some(part) = bytes.try_next().await? {
            found.add(&part);
        }
        if (found.bytes, found.hash()) != (content.bytes, content.hash.clone()) {
            let kept = layout::set_aside(file);
            self.archive.copy(&object(file), &object(&kept)).await?;
            tracing::warn!(kept, "a file in the archive that the database does not list was set aside");
        }
        Ok(())
    }

    /// Removes an object; copies of it leave the cache as others come.
    pub async fn remove(&self, file: &str) -> Result<(), ArchiveError> {
        delete(self.archive.as_ref(), &object(file)).await
    }

    async fn download(&self, file: &str, to: &Path) -> Result<Digest, ArchiveError> {
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).map_err(ArchiveError::file(parent))?;
        }
        let mut bytes = self.archive.get(&object(file)).await?.into_stream();
        let mut target = tokio::fs::File::create(to).await.map_err(ArchiveError::file(to))?;
        let mut digest = Digest::default();
        while let Some(part) = bytes.try_next().await? {
            digest.add(&part);
            target.write_all(&part).await.map_err(ArchiveError::file(to))?;
        }
        target.flush().await.map_err(ArchiveError::file(to))?;
        // A file whose name survives a failure of power may be empty if its bytes were not synced before.
        target.sync_all().await.map_err(ArchiveError::file(to))?;
        Ok(digest)
    }

    /// A complete copy takes its name; an incomplete one goes.
    fn adopt(&self, copied: Result<(), ArchiveError>, aside: &Path, path: &Path) -> Result<(), ArchiveError> {
        let adopted = copied.and_then(|()| {
            let bytes = std::fs::metadata(aside).map_err(ArchiveError::file(aside))?.len();
            std::fs::rename(aside, path).map_err(ArchiveError::file(path))?;
            self.leases.verified.accept(path);
            self.lock().insert(path.to_owned(), Copy { bytes, used: Instant::now() });
            Ok(())
        });
        if adopted.is_err() {
            let _ = std::fs::remove_file(aside);
        }
        adopted
    }

    /// Whether there is a copy of a day. One that is damaged goes.
    fn has(&self, path: &Path, day: &ArchivedDay) -> Result<bool, ArchiveError> {
        let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(false) };
        if let Err(what) = self.leases.verified.check(path, day) {
            tracing::warn!(path = %path.display(), what, "a copy of an archived day is damaged and is fetched again");
            let removed = if found.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
            self.lock().remove(path);
            return match removed {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ArchiveError::file(path)(error)),
                _ => Ok(false),
            };
        }
        self.lock().entry(path.to_owned()).or_insert(Copy { bytes: found.len(), used: Instant::now() }).used =
            Instant::now();
        Ok(true)
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

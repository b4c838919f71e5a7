//! Where backups are, and how a file there is made to last.

use std::fs::{self, File};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};

use super::BackupError;
use crate::location::Location;

/// A location that has been opened. Names are relative to it, with slashes between their parts.
#[derive(Clone)]
pub struct Place {
    store: Arc<dyn ObjectStore>,
    location: Location,
}

impl Place {
    /// Opens a location; a directory is created when it is missing.
    pub fn open(location: &Location) -> Result<Self, BackupError> {
        Ok(Self { store: location.open()?, location: location.clone() })
    }

    /// Opens a location that has to be there already.
    pub fn open_existing(location: &Location) -> Result<Self, BackupError> {
        match location.directory() {
            Some(directory) if !directory.is_dir() => Err(BackupError::NoBackup(location.to_string())),
            _ => Self::open(location),
        }
    }

    /// A name as a user would look for it.
    pub fn full_name(&self, name: &str) -> String {
        if name.is_empty() { self.location.to_string() } else { format!("{}/{name}", self.location) }
    }

    /// The store behind it.
    pub(super) fn store(&self) -> &dyn ObjectStore {
        self.store.as_ref()
    }

    /// The file on this machine, where it is one.
    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        // Joined with nothing, a path would end with a slash.
        let of = |directory: &FilePath| if name.is_empty() { directory.to_owned() } else { directory.join(name) };
        self.location.directory().map(of)
    }

    pub(super) fn refused(&self, name: &str) -> impl Fn(Error) -> BackupError + use<> {
        let file = self.full_name(name);
        move |source| BackupError::Object { file: file.clone(), source }
    }

    /// The names of the directories of the place.
    pub(super) async fn directories(&self) -> Result<Vec<String>, BackupError> {
        let listed = self.store.list_with_delimiter(None).await.map_err(self.refused(""))?;
        Ok(listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect())
    }

    /// The names of all files of a directory, and their sizes.
    pub(super) async fn files(&self, directory: &str) -> Result<Vec<(String, u64)>, BackupError> {
        let files = self.store.list(Some(&Path::from(directory)));
        files.map_ok(|file| (file.location.to_string(), file.size)).try_collect().await.map_err(self.refused(directory))
    }

    /// A whole file.
    pub(super) async fn read(&self, name: &str) -> Result<Bytes, BackupError> {
        let file = self.store.get(&Path::from(name)).await.map_err(self.refused(name))?;
        file.bytes().await.map_err(self.refused(name))
    }

    /// A whole file, if there is one of that name.
    pub(super) async fn read_if_there(&self, name: &str) -> Result<Option<Bytes>, BackupError> {
        match self.read(name).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(BackupError::Object { source: Error::NotFound { .. }, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A file, chunk by chunk.
    pub(super) async fn stream(
        &self,
        name: &str,
    ) -> Result<impl Stream<Item = Result<Bytes, BackupError>> + Unpin + use<>, BackupError> {
        let file = self.store.get(&Path::from(name)).await.map_err(self.refused(name))?;
        Ok(file.into_stream().map_err(self.refused(name)))
    }

    /// The size of a file, if there is one of that name.
    pub(super) async fn size(&self, name: &str) -> Result<Option<u64>, BackupError> {
        match self.store.head(&Path::from(name)).await {
            Ok(file) => Ok(Some(file.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.refused(name)(error)),
        }
    }

    /// Gives a file that is durable another name, durably.
    pub(super) async fn rename(&self, from: &str, to: &str) -> Result<(), BackupError> {
        self.store.rename(&Path::from(from), &Path::from(to)).await.map_err(self.refused(to))?;
        self.make_durable(to).await
    }

    /// Makes a file that has been written survive a failure of power. An object store does so before it answers.
    pub(super) async fn make_durable(&self, name: &str) -> Result<(), BackupError> {
        let (Some(path), Some(top)) = (self.file(name), self.file("")) else { return Ok(()) };
        blocking(move || synced(&path, &top).map_err(unusable(&path))).await
    }

    /// Writes a small file so that it is there whole or not at all, whenever the machine stops.
    pub(super) async fn put_whole(&self, name: &str, bytes: Bytes) -> Result<(), BackupError> {
        let Some(path) = self.file(name) else {
            self.store.put(&Path::from(name), bytes.into()).await.map_err(self.refused(name))?;
            return Ok(());
        };
        blocking(move || put_file(&path, &bytes).map_err(unusable(&path))).await?;
        self.make_durable(name).await
    }

    /// Writes a small file that nobody else has written; false if somebody has.
    pub(super) async fn put_new(&self, name: &str, bytes: Bytes) -> Result<bool, BackupError> {
        let path = Path::from(name);
        match self.store.put_opts(&path, bytes.clone().into(), PutMode::Create.into()).await {
            Ok(_) => {}
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => return Ok(false),
            // Where two can begin in one second, and the object store cannot tell who was first, nobody can.
            Err(Error::NotImplemented { .. } | Error::NotSupported { .. }) => {
                self.store.put(&path, bytes.into()).await.map_err(self.refused(name))?;
            }
            Err(error) => return Err(self.refused(name)(error)),
        }
        self.make_durable(name).await?;
        Ok(true)
    }

    /// Removes a directory with everything in it, the file `first` before all others.
    pub(super) async fn remove(&self, directory: &str, first: &str) -> Result<(), BackupError> {
        let first = super::manifest::in_directory(directory, first);
        if self.size(&first).await?.is_some() {
            self.store.delete(&Path::from(first.as_str())).await.map_err(self.refused(&first))?;
        }
        if let Some(path) = self.file(directory) {
            return blocking(move || fs::remove_dir_all(&path).map_err(unusable(&path))).await;
        }
        for (name, _) in self.files(directory).await? {
            self.store.delete(&Path::from(name.as_str())).await.map_err(self.refused(&name))?;
        }
        Ok(())
    }
}

/// Writes beside and renames.
fn put_file(path: &FilePath, bytes: &[u8]) -> std::io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".writing");
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(&aside, bytes)?;
    File::open(&aside)?.sync_all()?;
    fs::rename(&aside, path)
}

/// Syncs a file, and the directories that lead to it from above `top`, all of which may be new.
fn synced(path: &FilePath, top: &FilePath) -> std::io::Result<()> {
    File::open(path)?.sync_all()?;
    let below = path.ancestors().skip(1).take_while(|directory| *directory != top);
    below.chain([top]).chain(top.parent()).try_for_each(sync_directory)
}

/// Makes what was created or renamed in a directory last.
pub(super) fn sync_directory(directory: &FilePath) -> std::io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { FilePath::new(".") } else { directory };
    // Elsewhere a directory cannot be opened as a file, and renaming is durable by itself.
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

pub(super) fn unusable(path: &FilePath) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Unusable { path, source }
}

/// Does what waits for the disk where nobody else waits for it.
pub(super) async fn blocking<T, W>(work: W) -> Result<T, BackupError>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, BackupError> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(BackupError::Failed(error.to_string())))
}

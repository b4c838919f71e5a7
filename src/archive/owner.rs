//! The file in an archive that says whose it is.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path as Name;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use serde::{Deserialize, Serialize};

use super::files::{create_directories, sync_directory};
use super::{ArchiveError, layout};
use crate::location::Location;

/// The version of its form. A change that older programs must not write over makes it the next one.
const FORMAT: u32 = 1;

/// The database that an archive belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    format: u32,
    /// The identity of the database.
    pub database: String,
    /// What the database wrote here last.
    pub claim: String,
    /// Where the database was then, for people.
    pub path: PathBuf,
}

impl Owner {
    pub fn new(database: &str, claim: &str, path: &Path) -> Self {
        Self { format: FORMAT, database: database.to_owned(), claim: claim.to_owned(), path: path.to_owned() }
    }
}

/// What is to be there when the file is written.
#[derive(Debug, Clone)]
pub(super) enum Replaces {
    Nothing,
    This(Owner, UpdateVersion),
    Anything,
}

/// Where the file is.
#[derive(Clone)]
pub(super) struct OwnerFile {
    place: Place,
    /// The archive, as its user names it.
    pub location: String,
}

#[derive(Clone)]
enum Place {
    Directory(PathBuf),
    Bucket(Arc<dyn ObjectStore>),
}

impl OwnerFile {
    /// That of the archive at `location`, which is not touched.
    pub fn at(location: &Location) -> Result<Self, ArchiveError> {
        let place = match location {
            Location::Directory(path) => Place::Directory(std::path::absolute(path).map_err(ArchiveError::file(path))?),
            Location::Bucket { .. } => Place::Bucket(location.open()?),
        };
        Ok(Self { place, location: location.to_string() })
    }

    /// What it says; `None` where there is none.
    pub async fn read(&self) -> Result<Option<(Owner, UpdateVersion)>, ArchiveError> {
        let nowhere = UpdateVersion { e_tag: None, version: None };
        let (text, version) = match &self.place {
            Place::Directory(directory) => match std::fs::read(directory.join(layout::IDENTITY)) {
                Ok(text) => (text, nowhere),
                Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
                    return Ok(None);
                }
                Err(error) => return Err(ArchiveError::file(&directory.join(layout::IDENTITY))(error)),
            },
            Place::Bucket(store) => match store.get(&Name::from(layout::IDENTITY)).await {
                Ok(found) => {
                    let version =
                        UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
                    (found.bytes().await?.to_vec(), version)
                }
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            },
        };
        let owner: Owner = serde_json::from_slice(&text).map_err(|error| self.unreadable(error.to_string()))?;
        if owner.format > FORMAT {
            return Err(self.unreadable("a newer version wrote it: upgrade this program".into()));
        }
        Ok(Some((owner, version)))
    }

    /// Writes it, durably and as a whole, if what is there is what was read. Who comes second is told so, where the
    /// object store can tell.
    pub async fn write(&self, owner: &Owner, replaces: &Replaces) -> Result<(), ArchiveError> {
        let text = serde_json::to_vec_pretty(owner).map_err(|error| self.unreadable(error.to_string()))?;
        match &self.place {
            Place::Directory(directory) => {
                let as_it_was = match (replaces, self.read().await) {
                    (Replaces::Anything, _) => true,
                    (Replaces::Nothing, found) => found?.is_none(),
                    (Replaces::This(expected, _), found) => found?.is_some_and(|(found, _)| found == *expected),
                };
                if !as_it_was {
                    return Err(self.contested());
                }
                let path = directory.join(layout::IDENTITY);
                put(directory, &path, &text).map_err(ArchiveError::file(&path))?;
            }
            Place::Bucket(store) => {
                let mode = match replaces {
                    Replaces::Nothing => PutMode::Create,
                    Replaces::This(_, version) => PutMode::Update(version.clone()),
                    Replaces::Anything => PutMode::Overwrite,
                };
                match store.put_opts(&Name::from(layout::IDENTITY), text.clone().into(), PutOptions::from(mode)).await {
                    Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => return Err(self.contested()),
                    // What it cannot do under a condition it does without one; whoever was overtaken finds out below.
                    Err(Error::NotImplemented { .. } | Error::NotSupported { .. }) => {
                        store.put(&Name::from(layout::IDENTITY), text.into()).await?;
                    }
                    done => drop(done?),
                }
            }
        }
        match self.read().await? {
            Some((found, _)) if found == *owner => Ok(()),
            _ => Err(self.contested()),
        }
    }

    /// Whether the archive has files of days.
    pub async fn has_days(&self) -> Result<bool, ArchiveError> {
        let store = match &self.place {
            Place::Directory(directory) if !directory.is_dir() => return Ok(false),
            Place::Directory(directory) => Location::Directory(directory.clone()).open()?,
            Place::Bucket(store) => store.clone(),
        };
        let mut files = store.list(None);
        while let Some(file) = files.try_next().await? {
            if matches!(layout::parse(file.location.as_ref()), Some(layout::Named::Day(..))) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn unreadable(&self, reason: String) -> ArchiveError {
        ArchiveError::Unidentified { location: self.location.clone(), reason }
    }

    fn contested(&self) -> ArchiveError {
        ArchiveError::Contested { location: self.location.clone() }
    }
}

/// A kill leaves at most a file under another name, which goes with those of days that were never completed.
fn put(directory: &Path, path: &Path, text: &[u8]) -> std::io::Result<()> {
    create_directories(directory)?;
    let aside = directory.join(layout::aside(layout::IDENTITY));
    let written = (|| {
        let mut file = File::create_new(&aside)?;
        file.write_all(text)?;
        file.sync_all()?;
        std::fs::rename(&aside, path)
    })();
    if written.is_err() {
        // Nothing is left to be done when it cannot be removed either.
        let _ = std::fs::remove_file(&aside);
    }
    written?;
    sync_directory(directory)
}

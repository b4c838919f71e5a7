//! Which backups a place has, and which of them stay.

use super::manifest::{self, Manifest};
use super::{BackupError, Name, Place};
use crate::time::Micros;

/// A backup of a place.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub name: Name,
    /// What it holds.
    pub manifest: Manifest,
}

/// The complete backups, oldest first. One whose manifest cannot be read is left out, and told in the log.
pub async fn complete(place: &Place) -> Result<Vec<Entry>, BackupError> {
    let mut entries = Vec::new();
    for name in names(place).await? {
        match Manifest::read(place, &name.to_string()).await {
            Ok(Some(manifest)) => entries.push(Entry { name, manifest }),
            Ok(None) => {}
            Err(error @ (BackupError::Damaged { .. } | BackupError::Newer { .. })) => {
                tracing::warn!(backup = %name, %error, "a backup cannot be used");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

/// The directory and the manifest of the backup that `wanted` names, or of the newest one. A place that is itself a
/// backup is the one, whatever is wanted.
pub async fn find(place: &Place, wanted: Option<Name>) -> Result<(String, Manifest), BackupError> {
    if let Some(manifest) = Manifest::read(place, "").await? {
        return Ok((String::new(), manifest));
    }
    let Some(name) = wanted else {
        let newest = complete(place).await?.pop().ok_or_else(|| BackupError::NoBackup(place.full_name("")))?;
        return Ok((newest.name.to_string(), newest.manifest));
    };
    let manifest = Manifest::read(place, &name.to_string()).await?;
    let not_there = || BackupError::NotThere { name: name.to_string(), place: place.full_name("") };
    Ok((name.to_string(), manifest.ok_or_else(not_there)?))
}

/// The name of a backup that is begun at `instant`: whatever the clock says, it comes after all that are there. The first
/// of them are those that [`keep`] removes.
pub(super) async fn next_name(place: &Place, instant: Micros) -> Result<Name, BackupError> {
    let name = Name::of(instant);
    Ok(names(place).await?.last().map_or(name, |newest| name.max(newest.next())))
}

/// Removes backups that were not finished. Nobody may be taking one here.
pub(super) async fn remove_unfinished(place: &Place) -> Result<(), BackupError> {
    for name in names(place).await? {
        let directory = name.to_string();
        if place.size(&manifest::in_directory(&directory, manifest::FILE)).await?.is_none() {
            tracing::warn!(backup = %place.full_name(&directory), "removing a backup that was not finished");
            place.remove(&directory, manifest::FILE).await?;
        }
    }
    Ok(())
}

/// Removes the oldest complete backups beyond the newest `keep`, of which there is at least one, and says which.
pub(super) async fn keep(place: &Place, keep: usize) -> Result<Vec<Name>, BackupError> {
    let entries = complete(place).await?;
    let beyond = entries.len().saturating_sub(keep.max(1));
    let mut removed = Vec::new();
    for entry in entries.into_iter().take(beyond) {
        // The manifest goes first, so that what is left of an interrupted removal is no backup.
        place.remove(&entry.name.to_string(), manifest::FILE).await?;
        tracing::info!(backup = %entry.name, "an old backup was removed");
        removed.push(entry.name);
    }
    Ok(removed)
}

/// Names of directories that are names of backups, oldest first. Whatever else is there is not ours.
async fn names(place: &Place) -> Result<Vec<Name>, BackupError> {
    let directories = place.directories().await?;
    let mut names: Vec<Name> = directories.iter().filter_map(|directory| directory.parse().ok()).collect();
    names.sort_unstable();
    Ok(names)
}

//! Which backups a place has, and which of them stay.

use std::collections::BTreeMap;

use super::database::Owner;
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

/// The directory and the manifest of the backup that `wanted` names, or of the newest one, which has to be told where several
/// databases have theirs. A place that is itself a backup is the one, whatever is wanted.
pub async fn find(place: &Place, wanted: Option<Name>) -> Result<(String, Manifest), BackupError> {
    if let Some(manifest) = Manifest::read(place, "").await? {
        return Ok((String::new(), manifest));
    }
    let Some(name) = wanted else {
        let mut entries = complete(place).await?;
        let newest_of_each: BTreeMap<_, _> =
            entries.iter().filter_map(|entry| Some((entry.manifest.database.as_deref()?, entry))).collect();
        if newest_of_each.len() > 1 {
            let newest = newest_of_each.values().map(|entry| format!("{}{}", entry.name, entry.of_database()));
            let newest = newest.collect::<Vec<_>>().join(", ");
            return Err(BackupError::SeveralDatabases { place: place.full_name(""), newest });
        }
        let newest = entries.pop().ok_or_else(|| BackupError::NoBackup(place.full_name("")))?;
        return Ok((newest.name.to_string(), newest.manifest));
    };
    let manifest = Manifest::read(place, &name.to_string()).await?;
    let not_there = || BackupError::NotThere { name: name.to_string(), place: place.full_name("") };
    Ok((name.to_string(), manifest.ok_or_else(not_there)?))
}

/// The newest complete backup that is of a database, or may be.
pub(super) async fn newest_of(place: &Place, database: &str) -> Result<Option<Entry>, BackupError> {
    Ok(own(complete(place).await?, database).pop())
}

/// Begins a backup of a database at `instant`, and says what it is called: whatever the clock says, it comes after all that
/// are there. The first of them are those that [`keep`] removes. Nobody else begins one of that name.
pub(super) async fn begin(place: &Place, instant: Micros, database: &str) -> Result<Name, BackupError> {
    let owner = Owner { database: database.to_owned() };
    let owner = serde_json::to_vec(&owner).map_err(|error| BackupError::Failed(error.to_string()))?;
    let mut name = Name::of(instant);
    loop {
        name = names(place).await?.last().map_or(name, |newest| name.max(newest.next()));
        let file = manifest::in_directory(&name.to_string(), Owner::FILE);
        if place.put_new(&file, owner.clone().into()).await? {
            return Ok(name);
        }
        name = name.next();
    }
}

/// Removes backups of a database that were not finished. Nobody may be taking one of it here.
pub(super) async fn remove_unfinished(place: &Place, database: &str) -> Result<(), BackupError> {
    for name in names(place).await? {
        let directory = name.to_string();
        if place.size(&manifest::in_directory(&directory, manifest::FILE)).await?.is_some() {
            continue;
        }
        let owner = place.read_if_there(&manifest::in_directory(&directory, Owner::FILE)).await?;
        let owner = owner.and_then(|owner| serde_json::from_slice::<Owner>(&owner).ok());
        if owner.is_some_and(|owner| owner.database != database) {
            tracing::debug!(backup = %place.full_name(&directory), "another database's backup is not finished");
            continue;
        }
        tracing::warn!(backup = %place.full_name(&directory), "removing a backup that was not finished");
        place.remove(&directory, manifest::FILE).await?;
    }
    Ok(())
}

/// Removes the oldest complete backups of a database beyond the newest `keep`, of which there is at least one, and says which.
pub(super) async fn keep(place: &Place, keep: usize, database: &str) -> Result<Vec<Name>, BackupError> {
    let entries = own(complete(place).await?, database);
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

/// The backups of a database. Those of older versions do not say whose they are: they are its own unless another database
/// has backups in the place.
fn own(mut entries: Vec<Entry>, database: &str) -> Vec<Entry> {
    let is_shared =
        entries.iter().any(|entry| entry.manifest.database.as_deref().is_some_and(|other| other != database));
    entries.retain(|entry| entry.manifest.database.as_deref().map_or(!is_shared, |owner| owner == database));
    entries
}

impl Entry {
    /// Whose it is, in few letters: enough to tell the databases of a place from each other.
    pub fn of_database(&self) -> String {
        let known = self.manifest.database.as_deref().and_then(|database| database.get(..8));
        known.map_or_else(String::new, |database| format!(" of database {database}"))
    }
}

/// Names of directories that are names of backups, oldest first. Whatever else is there is not ours.
async fn names(place: &Place) -> Result<Vec<Name>, BackupError> {
    let directories = place.directories().await?;
    let mut names: Vec<Name> = directories.iter().filter_map(|directory| directory.parse().ok()).collect();
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_ones_own_unless_others_are_there() {
        let entries = |owners: &[Option<&str>]| {
            let entry = |(number, owner): (usize, &Option<&str>)| Entry {
                name: Name::of(number as Micros * crate::time::SECOND),
                manifest: Manifest { database: owner.map(str::to_owned), ..Manifest::new(0, Vec::new()) },
            };
            owners.iter().enumerate().map(entry).collect::<Vec<_>>()
        };
        let own = |owners: &[Option<&str>]| {
            let own = own(entries(owners), "mine");
            own.into_iter().map(|entry| entry.name.instant() / crate::time::SECOND).collect::<Vec<_>>()
        };
        assert_eq!(own(&[None, Some("mine"), None]), [0, 1, 2]);
        assert_eq!(own(&[None, Some("mine"), Some("another's"), Some("mine")]), [1, 3]);
        assert_eq!(own(&[None, Some("another's")]), [0; 0]);
    }
}

//! `observability-api backup` and `restore`.
//!
//! A database file is open in one process at a time. When a server has it, that server takes the backup, `remote` tells
//! it to; otherwise the file is opened here. `bar` shows how far it is.

mod bar;
mod remote;
mod restore;

use std::collections::BTreeSet;

use clap::Args;
use indicatif::{HumanBytes, HumanCount};
use tokio_util::sync::CancellationToken;

use super::client::{ClientError, Remote};
use super::options::BACKUP_LOCATION;
use super::value::Address;
use crate::backup::{BackupError, Database, Place, Taken, catalog, take};
use crate::config::Settings;
use crate::location::Location;
use crate::store::Store;
use bar::Bar;

pub use restore::{RestoreArguments, restore};

/// Where the backup goes.
#[derive(Debug, Clone, Args)]
pub struct BackupArguments {
    /// Directory or s3://bucket/prefix [default: backup_location of the settings, else a directory beside the database]
    #[arg(long, env = BACKUP_LOCATION, value_name = "LOCATION")]
    to: Option<Address>,
    /// Keep this many complete backups of this database there, and remove the oldest beyond them [default: remove none]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    /// Take none; list those that are there
    #[arg(long, conflicts_with = "keep")]
    list: bool,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The backup itself.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// There is no database file.
    #[error("there is no database at {}: name it with --database", .0.display())]
    NoDatabase(std::path::PathBuf),
    /// The working directory is gone.
    #[error("the working directory cannot be used: {0}")]
    Directory(std::io::Error),
    /// The server that has the database.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server ended in the middle of it.
    #[error("the server broke off ({0}): see its log; what it has left of the backup is removed by the next one")]
    BrokenOff(String),
}

/// Takes or lists backups.
pub async fn backup(arguments: BackupArguments, settings: Settings) -> Result<(), CommandError> {
    let named = arguments.to.map(Location::from);
    let location = named.clone().unwrap_or_else(|| settings.backup_location());
    if arguments.list {
        return list(&location).await;
    }
    let path = &settings.store.path;
    let taken = match Remote::with_database(path)? {
        Some(server) => remote::take(&server, named, arguments.keep).await?,
        None if !path.exists() => return Err(CommandError::NoDatabase(path.clone())),
        None => here(&location, arguments.keep, &settings).await?,
    };
    super::say(&format!(
        "backup {} of {} rows, {}, taken in {:.1} s at {}",
        taken.backup,
        HumanCount(taken.rows),
        HumanBytes(taken.bytes),
        taken.seconds,
        taken.location
    ));
    taken.removed.iter().for_each(|old| super::say(&format!("removed {old}")));
    Ok(())
}

/// Opens the database for as long as it takes.
async fn here(location: &Location, keep: Option<u32>, settings: &Settings) -> Result<Taken, BackupError> {
    let place = Place::open(location)?;
    let store = Store::open(&settings.store)?;
    let (bar, stop) = (Bar::default(), CancellationToken::new());
    let keep = keep.and_then(|keep| usize::try_from(keep).ok());
    let watcher = |progress| bar.show(&progress);
    let database = Database::of(&store);
    let mut taking = std::pin::pin!(take(&database, &place, keep, &stop, &watcher));
    let taken = tokio::select! {
        taken = &mut taking => taken,
        Ok(()) = tokio::signal::ctrl_c() => {
            stop.cancel();
            taking.await
        }
    };
    store.close().await?;
    taken
}

/// One line a backup, oldest first.
async fn list(location: &Location) -> Result<(), CommandError> {
    let nothing = || BackupError::NothingToList(location.to_string());
    let place = Place::open_existing(location).map_err(|error| match error {
        BackupError::NoBackup(_) => nothing(),
        other => other,
    })?;
    let entries = catalog::complete(&place).await?;
    if entries.is_empty() {
        return Err(nothing().into());
    }
    let databases: BTreeSet<_> = entries.iter().map(|entry| &entry.manifest.database).collect();
    let is_shared = databases.len() > 1;
    for entry in &entries {
        let (rows, bytes) = (HumanCount(entry.manifest.rows()), HumanBytes(entry.manifest.bytes()));
        let whose = if is_shared { entry.of_database() } else { String::new() };
        super::say(&format!("{}  {rows} rows  {bytes}{whose}", entry.name));
    }
    Ok(())
}

//! A database from a backup.

use clap::Args;
use indicatif::HumanCount;

use super::bar::Bar;
use crate::backup::{self, BackupError, Name, Place, catalog};
use crate::cli::options::BACKUP_LOCATION;
use crate::cli::value::Address;
use crate::config::Settings;
use crate::location::Location;

/// Which backup.
#[derive(Debug, Clone, Args)]
pub struct RestoreArguments {
    /// Directory or s3://bucket/prefix with backups, or one backup in it [default: backup_location of the settings,
    /// else the directory beside the database]
    #[arg(env = BACKUP_LOCATION, value_name = "FROM")]
    from: Option<Address>,
    /// Name of the backup, or latest
    #[arg(long, value_name = "NAME", default_value = "latest", value_parser = backup_name)]
    backup: Wanted,
    /// Give the new database an archive that belongs to another one, which must not be used with it any more; files that
    /// the backup does not have are set aside where others take their place
    #[arg(long, conflicts_with = "verify")]
    adopt_archive: bool,
    /// Restore nothing; read the backup and compare it with its checksums
    #[arg(long)]
    verify: bool,
}

/// A backup by its name; `None` is the latest.
#[derive(Debug, Clone, Copy)]
struct Wanted(Option<Name>);

/// Makes the database of `settings` from a backup, or only reads the backup.
pub async fn restore(arguments: RestoreArguments, settings: Settings) -> Result<(), BackupError> {
    let location = arguments.from.map_or_else(|| settings.backup_location(), Location::from);
    let place = Place::open_existing(&location)?;
    let Wanted(wanted) = arguments.backup;
    let (directory, manifest) = catalog::find(&place, wanted).await?;
    let bar = Bar::default();
    let watcher = |progress| bar.show(&progress);
    let (name, rows) = (place.full_name(&directory), HumanCount(manifest.rows()));
    let said = if arguments.verify {
        backup::verify(&place, &directory, &manifest, &watcher).await?;
        format!("{name} is whole: {rows} rows as of {}", manifest.taken_at)
    } else {
        let adopt = arguments.adopt_archive;
        backup::restore(&place, &directory, &manifest, &settings.store, adopt, &watcher).await?;
        let database = settings.store.path.display();
        format!("{database} has the {rows} rows of {name}, as of {}", manifest.taken_at)
    };
    drop(bar);
    crate::cli::say(&said);
    Ok(())
}

fn backup_name(text: &str) -> Result<Wanted, BackupError> {
    if text == "latest" { Ok(Wanted(None)) } else { text.parse().map(|name| Wanted(Some(name))) }
}

//! Reading a backup again.

use arrow::datatypes::SchemaRef;

use super::manifest::Manifest;
use super::progress::Counter;
use super::{BackupError, Place, Step, TableManifest, Watcher, archived, manifest, part};
use crate::batch::Checksum;
use crate::tables::{self, Table};

/// Reads every file of the backup in `directory` and compares it with the manifest.
pub async fn verify(
    place: &Place,
    directory: &str,
    manifest: &Manifest,
    watcher: Watcher<'_>,
) -> Result<(), BackupError> {
    for of_table in &manifest.tables {
        let declared = declared(place, directory, of_table)?.schema();
        verify_parts(place, directory, of_table, Some(declared), watcher).await?;
    }
    for of_level in &manifest.rollups {
        verify_parts(place, directory, of_level, None, watcher).await?;
    }
    archived::verify(place, directory, &manifest.archived, watcher).await
}

async fn verify_parts(
    place: &Place,
    directory: &str,
    of_table: &TableManifest,
    declared: Option<SchemaRef>,
    watcher: Watcher<'_>,
) -> Result<(), BackupError> {
    let mut counter = Counter::begin(watcher, Step::Checking, &of_table.name, of_table.rows);
    let mut checksum = Checksum::default();
    for part in &of_table.parts {
        let of_part = part::read(place, directory, declared.clone(), part, async |batch| {
            counter.add(batch.num_rows());
            Ok(())
        });
        checksum.merge(&of_part.await?);
    }
    counter.end();
    is_whole(place, directory, of_table, &checksum)
}

/// The table that a manifest speaks of.
pub(super) fn declared(
    place: &Place,
    directory: &str,
    of_table: &TableManifest,
) -> Result<&'static Table, BackupError> {
    tables::find(&of_table.name).ok_or_else(|| contradiction(place, directory, &of_table.name))
}

/// Whether the files of a table, which are what they should be, are all of its rows.
pub(super) fn is_whole(
    place: &Place,
    directory: &str,
    of_table: &TableManifest,
    found: &Checksum,
) -> Result<(), BackupError> {
    if of_table.is(found) { Ok(()) } else { Err(contradiction(place, directory, &of_table.name)) }
}

pub(super) fn contradiction(place: &Place, directory: &str, table: &str) -> BackupError {
    let file = place.full_name(&manifest::in_directory(directory, manifest::FILE));
    BackupError::Damaged { file, what: format!("what it says of {table} cannot be") }
}

//! What a backup holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BackupError, Place};
use crate::archive::{Digest, file_name};
use crate::batch::Checksum;
use crate::store::{Dropped, schema};
use crate::tables;
use crate::time::{Micros, format_naive};

/// The name of the file, which is written last.
pub(super) const FILE: &str = "manifest.json";
/// The directory of archived days in a backup.
pub(super) const ARCHIVE: &str = "archive";
/// The directory of buckets in a backup.
pub(super) const ROLLUP: &str = "rollup";
/// The version of this form. A change that older programs cannot read makes it the next one.
const FORMAT: u32 = 2;

/// The list of a backup's files, and what is in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form.
    pub format: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// The version of the database's schema.
    pub schema: i64,
    /// The moment that all rows are of, naive UTC.
    pub taken_at: String,
    /// Which database it is of; a database that is restored is another one. Unknown in backups of older versions.
    #[serde(default)]
    pub database: Option<String>,
    /// When the clock of that database was last believed, in microseconds since 1970. Unknown in backups of older versions.
    #[serde(default)]
    pub clock_believed_at: Option<Micros>,
    /// Every table, as far as its rows are in the database.
    pub tables: Vec<TableManifest>,
    /// Where the last day of each table ends that was dropped, in microseconds since 1970.
    #[serde(default)]
    pub rows_begin: BTreeMap<String, Micros>,
    /// What was dropped of these tables. Unknown in backups of older versions.
    #[serde(default)]
    pub dropped: BTreeMap<String, Dropped>,
    /// The buckets before that, of days whose rows were dropped and of others, each level under a name like
    /// `market_data_5m`; and under `stale` the marks of those that are to be made again.
    #[serde(default)]
    pub rollups: Vec<TableManifest>,
    /// Every day whose rows are in the archive.
    #[serde(default)]
    pub archived: Vec<ArchivedFile>,
}

/// The file of an archived day, below `archive/` in the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedFile {
    /// The table.
    pub table: String,
    /// The first instant of the day, in microseconds since 1970.
    pub day: Micros,
    /// Its name, relative to the archive.
    pub file: String,
    /// Whether the tables have rows of the day too, which replace those of the file with their key.
    pub late: bool,
    /// Rows in it, as the database knows.
    pub rows: u64,
    /// The [`Checksum`] of its rows, as the database knows.
    pub checksum: String,
    /// Its size.
    pub bytes: u64,
    /// XXH64 of its bytes, with seed 0, as 16 hexadecimal digits.
    pub hash: String,
}

/// The rows of a table, or the buckets of a level of its roll-ups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableManifest {
    /// Its name.
    pub name: String,
    /// How many there are.
    pub rows: u64,
    /// Their [`Checksum`].
    pub checksum: String,
    /// The files that they are in, in the order of their time.
    pub parts: Vec<Part>,
}

/// A file with rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name, relative to the backup.
    pub file: String,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The [`Checksum`] of its rows.
    pub checksum: String,
}

/// What every form of a manifest has, also those that are yet to come.
#[derive(Deserialize)]
struct Form {
    format: u32,
    program: String,
}

impl Manifest {
    /// A manifest of this program.
    pub(super) fn new(taken_at: Micros, tables: Vec<TableManifest>) -> Self {
        Self {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            schema: schema::version(),
            taken_at: format_naive(taken_at),
            database: None,
            clock_believed_at: None,
            tables,
            rows_begin: BTreeMap::new(),
            dropped: BTreeMap::new(),
            rollups: Vec::new(),
            archived: Vec::new(),
        }
    }

    /// The manifest of the backup in a directory; `None` when it has none, and was not finished.
    pub(super) async fn read(place: &Place, directory: &str) -> Result<Option<Self>, BackupError> {
        let name = in_directory(directory, FILE);
        let Some(text) = place.read_if_there(&name).await? else { return Ok(None) };
        let damaged =
            |error: serde_json::Error| BackupError::Damaged { file: place.full_name(&name), what: error.to_string() };
        let Form { format, program } = serde_json::from_slice(&text).map_err(damaged)?;
        if format > FORMAT {
            return Err(BackupError::Newer { place: place.full_name(directory), program });
        }
        let manifest: Self = serde_json::from_slice(&text).map_err(damaged)?;
        if manifest.schema > schema::version() {
            return Err(BackupError::Newer { place: place.full_name(directory), program });
        }
        if let Some(file) = manifest.stray() {
            let what = format!("it names {file:?}, which is no file of a backup");
            return Err(BackupError::Damaged { file: place.full_name(&name), what });
        }
        Ok(Some(manifest))
    }

    /// A name that would lead out of the backup, or out of the archive that its days go to.
    fn stray(&self) -> Option<String> {
        let is_day = |file: &&ArchivedFile| {
            tables::find(&file.table).is_some_and(|table| file_name(table, file.day) == file.file)
        };
        let stray_day = self.archived.iter().find(|file| !is_day(file)).map(|file| file.file.clone());
        stray_day.or_else(|| self.files().map(|(file, _)| file).find(|file| !is_plain(file)))
    }

    /// Rows in all files, without buckets.
    pub fn rows(&self) -> u64 {
        let stored: u64 = self.tables.iter().map(|table| table.rows).sum();
        stored + self.archived.iter().map(|file| file.rows).sum::<u64>()
    }

    /// Bytes of all files with rows or buckets.
    pub fn bytes(&self) -> u64 {
        self.files().map(|(_, bytes)| bytes).sum()
    }

    /// Names of all files with rows or buckets, relative to the backup, and their sizes.
    pub(super) fn files(&self) -> impl Iterator<Item = (String, u64)> {
        let parts = self
            .tables
            .iter()
            .chain(&self.rollups)
            .flat_map(|table| &table.parts)
            .map(|part| (part.file.clone(), part.bytes));
        parts.chain(self.archived.iter().map(|file| (file.name(), file.bytes)))
    }
}

impl TableManifest {
    /// Whether `found` are all of them.
    pub(super) fn is(&self, found: &Checksum) -> bool {
        self.rows == found.rows() && self.checksum == found.to_string()
    }
}

impl ArchivedFile {
    /// Its name, relative to the backup.
    pub(super) fn name(&self) -> String {
        format!("{ARCHIVE}/{}", self.file)
    }

    /// Whether `found` are its bytes.
    pub(super) fn is(&self, found: &Digest) -> bool {
        self.bytes == found.bytes && self.hash == found.hash()
    }
}

/// Whether a name is one of plain parts below a directory, on every system.
fn is_plain(name: &str) -> bool {
    let is_plain = |part: &str| {
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "._-=".contains(letter);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(letter)
    };
    name.split('/').all(is_plain)
}

impl Part {
    /// Whether `found` are the rows of the file.
    pub(super) fn is(&self, found: &Checksum) -> bool {
        self.rows == found.rows() && self.checksum == found.to_string()
    }
}

/// The name of a file in the directory of a backup.
pub(super) fn in_directory(directory: &str, file: &str) -> String {
    if directory.is_empty() { file.to_owned() } else { format!("{directory}/{file}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_a_backup() {
        let part = |file: &str| Part { file: file.into(), rows: 0, bytes: 0, checksum: String::new() };
        let table = |file: &str| TableManifest {
            name: "trades".into(),
            rows: 0,
            checksum: String::new(),
            parts: vec![part(file)],
        };
        let archived = |table: &str, file: &str| ArchivedFile {
            table: table.into(),
            day: 0,
            file: file.into(),
            late: false,
            rows: 0,
            checksum: String::new(),
            bytes: 0,
            hash: String::new(),
        };
        let mut manifest = Manifest::new(0, vec![table("trades/part-00000.parquet")]);
        manifest.rollups = vec![table("rollup/trades_5m/part-00000.parquet")];
        manifest.archived = vec![archived("trades", "trades/date=1970-01-01/rows.parquet")];
        assert_eq!(manifest.stray(), None);
        for name in ["../a", "/etc/a", "a/../../b", "a//b", "", ".", "a\\b", "C:a", "a/./b", "a\u{0}"] {
            let stray = Manifest::new(0, vec![table(name)]);
            assert_eq!(stray.stray().as_deref(), Some(name));
            let stray = Manifest { rollups: vec![table(name)], ..Manifest::new(0, Vec::new()) };
            assert_eq!(stray.stray().as_deref(), Some(name));
            let stray = Manifest { archived: vec![archived("trades", name)], ..Manifest::new(0, Vec::new()) };
            assert_eq!(stray.stray().as_deref(), Some(name));
        }
        for (table, file) in
            [("trades", "trades/date=1970-01-02/rows.parquet"), ("a", "a/date=1970-01-01/rows.parquet")]
        {
            let stray = Manifest { archived: vec![archived(table, file)], ..Manifest::new(0, Vec::new()) };
            assert_eq!(stray.stray().as_deref(), Some(file));
        }
    }
}

//! What a backup holds.

use serde::{Deserialize, Serialize};

use super::{BackupError, Place};
use crate::batch::Checksum;
use crate::store::schema;
use crate::time::{Micros, format_naive};

/// The name of the file, which is written last.
pub(super) const FILE: &str = "manifest.json";
/// The version of this form. A change that older programs cannot read makes it the next one.
const FORMAT: u32 = 1;

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
    /// Every table.
    pub tables: Vec<TableManifest>,
}

/// The rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableManifest {
    /// The table.
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
            tables,
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
        Ok(Some(manifest))
    }

    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Bytes of all files with rows.
    pub fn bytes(&self) -> u64 {
        self.tables.iter().flat_map(|table| &table.parts).map(|part| part.bytes).sum()
    }
}

impl TableManifest {
    /// Whether `found` are the rows of the table.
    pub(super) fn is(&self, found: &Checksum) -> bool {
        self.rows == found.rows() && self.checksum == found.to_string()
    }
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

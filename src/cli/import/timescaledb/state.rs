//! How far an import came, in a small file that is replaced as a whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::time::{Micros, format_naive};

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read or written.
    #[error("the state of the import cannot be kept in {}: {source}; name another file with --state", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no such file.
    #[error("{} does not hold the state of an import: {reason}; name another file with --state, or remove it to begin anew", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It belongs to another import.
    #[error("{} is of an import {found}, and this one is {wanted}: name another file with --state, or remove it to begin anew", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
    },
}

/// What is stored of each table.
pub(super) struct State {
    path: PathBuf,
    content: Content,
}

/// The file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// Server and database that rows come from.
    source: String,
    /// The database that they go to, where it is known.
    #[serde(default)]
    database: Option<String>,
    /// Where the import began, if not with the oldest row; microseconds since 1970.
    from: Option<Micros>,
    /// The time of the newest row that is stored, as the server's column counts it; microseconds since 1970.
    tables: BTreeMap<String, Micros>,
}

impl State {
    /// What the file at `path` says about an import from `source` that begins at `from`; nothing is done when there is
    /// no file.
    pub fn open(path: PathBuf, source: &str, from: Option<Micros>) -> Result<Self, StateError> {
        let content = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| StateError::Malformed { path: path.clone(), reason: error.to_string() })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Content { source: source.to_owned(), database: None, from, tables: BTreeMap::new() }
            }
            Err(error) => return Err(StateError::Unusable { path, source: error }),
        };
        if content.source != source || content.from != from {
            let (found, wanted) = (scope(&content.source, content.from), scope(source, from));
            return Err(StateError::Other { path, found, wanted });
        }
        Ok(Self { path, content })
    }

    /// Says which database the rows go to. What is stored in another one counts for nothing, and nothing is stored in
    /// one that `is_new`. True when there was something that does not count.
    pub fn belongs_to(&mut self, database: Option<String>, is_new: bool) -> bool {
        let Content { database: known, tables, .. } = &mut self.content;
        let is_other = database.is_some() && known.is_some() && *known != database;
        *known = database.or(known.take());
        let forgotten = (is_other || is_new) && !tables.is_empty();
        if forgotten {
            tables.clear();
        }
        forgotten
    }

    /// The time of the newest row of a table that is stored.
    pub fn position(&self, table: &str) -> Option<Micros> {
        self.content.tables.get(table).copied()
    }

    /// Rows of a table are stored up to `position`.
    pub fn advance(&mut self, table: &str, position: Micros) -> Result<(), StateError> {
        if self.content.tables.insert(table.to_owned(), position) == Some(position) {
            return Ok(());
        }
        self.write().map_err(|source| StateError::Unusable { path: self.path.clone(), source })
    }

    fn write(&self) -> std::io::Result<()> {
        if let Some(directory) = self.path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            fs::create_dir_all(directory)?;
        }
        let aside = beside(&self.path);
        let mut file = File::create(&aside)?;
        file.write_all(&serde_json::to_vec_pretty(&self.content)?)?;
        file.sync_all()?;
        fs::rename(&aside, &self.path)
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn scope(source: &str, from: Option<Micros>) -> String {
    match from {
        Some(from) => format!("from {source} beginning at {}", format_naive(from)),
        None => format!("from {source}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_found_again_by_the_same_import_only() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("deep/state.json");
        let mut state = State::open(path.clone(), "desk:5432/a", None).unwrap();
        assert_eq!(state.position("trades"), None);
        state.advance("trades", 5).unwrap();
        state.advance("trades", 7).unwrap();
        state.advance("market_data", 1).unwrap();
        let again = State::open(path.clone(), "desk:5432/a", None).unwrap();
        assert_eq!((again.position("trades"), again.position("market_data")), (Some(7), Some(1)));
        for (source, from) in [("desk:5432/b", None), ("desk:5432/a", Some(0))] {
            let refused = State::open(path.clone(), source, from).err().unwrap().to_string();
            assert!(refused.contains("--state") && refused.contains("desk:5432/a"), "{refused}");
        }
        let named = |name: &str| Some(name.to_owned());
        let mut state = State::open(path.clone(), "desk:5432/a", None).unwrap();
        assert!(!state.belongs_to(named("one"), false), "an older version did not say which it was");
        state.advance("trades", 8).unwrap();
        for (database, is_new, forgotten) in
            [(named("one"), false, false), (None, false, false), (named("two"), false, true), (None, true, true)]
        {
            let mut state = State::open(path.clone(), "desk:5432/a", None).unwrap();
            assert_eq!(state.belongs_to(database, is_new), forgotten);
            assert_eq!(state.position("trades"), (!forgotten).then_some(8));
        }
        fs::write(&path, "{").unwrap();
        assert!(matches!(State::open(path, "desk:5432/a", None), Err(StateError::Malformed { .. })));
    }
}

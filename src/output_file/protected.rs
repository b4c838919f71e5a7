//! Files that belong to a database, to an archive or to a backup: a slip of the pen must not put an export in their place.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

/// Where in a database's file stands what.
const DATABASE: (usize, &[u8]) = (8, b"DUCK");
/// Files that say what their directory is, and members that each of them has.
const MARKS: [(&str, &[&str], &str); 2] = [
    ("identity.json", &["database", "claim"], "the archive of a database"),
    ("manifest.json", &["program", "taken_at", "tables"], "a backup of a database"),
];

/// Refuses a database, what lies beside one under its name and an ending (its log, its lock), and what lies in an archive
/// or in a backup. `target` is where links lead to.
pub(super) fn refuse(target: &Path, directory: &Path) -> Result<()> {
    let Some(name) = target.file_name() else { return Ok(()) };
    let target = fs::canonicalize(directory)?.join(name);
    if is_database(&target) {
        return Err(refused("there is a database, which nothing is written over: give another name"));
    }
    for path in target.ancestors() {
        if let Some(database) = database_of(path) {
            let (path, database) = (path.display(), database.display());
            return Err(refused(&format!(
                "by its name {path} is a file of the database {database}, whose rows would be lost: give another name, \
                 or another directory"
            )));
        }
    }
    for directory in target.ancestors().skip(1) {
        let marks = MARKS.iter().find(|(file, members, _)| has_members(&directory.join(file), members));
        if let Some((.., what)) = marks {
            let directory = directory.display();
            return Err(refused(&format!(
                "{directory} is {what}, in which nothing else is written: give another directory"
            )));
        }
    }
    Ok(())
}

/// The database that a file belongs to by its name.
fn database_of(path: &Path) -> Option<PathBuf> {
    let mut shorter = path.to_owned();
    while shorter.extension().is_some() {
        shorter = shorter.with_extension("");
        if is_database(&shorter) {
            return Some(shorter);
        }
    }
    None
}

fn is_database(path: &Path) -> bool {
    // Opening a pipe would wait.
    if !fs::metadata(path).is_ok_and(|found| found.is_file()) {
        return false;
    }
    let mut start = [0; DATABASE.0 + DATABASE.1.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start.ends_with(DATABASE.1)
}

fn has_members(path: &Path, members: &[&str]) -> bool {
    if !fs::metadata(path).is_ok_and(|found| found.is_file()) {
        return false;
    }
    let Ok(text) = fs::read(path) else { return false };
    let found = serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(&text);
    found.is_ok_and(|found| members.iter().all(|member| found.contains_key(*member)))
}

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_belongs_to_a_database_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("desk.duckdb"), [&[0; 8][..], b"DUCK", &[0; 100]].concat()).unwrap();
        fs::create_dir_all(at("archive/desk/trades")).unwrap();
        fs::write(at("archive/desk/identity.json"), r#"{"format":1,"database":"a","claim":"b","path":"c"}"#).unwrap();
        fs::create_dir_all(at("site")).unwrap();
        fs::write(at("site/manifest.json"), r#"{"name":"a page"}"#).unwrap();
        let check = |name: &str| {
            let target = at(name);
            refuse(&target, target.parent().unwrap()).map_err(|error| error.to_string())
        };
        for name in ["desk.duckdb", "desk.duckdb.wal", "desk.duckdb.lock", "desk.duckdb.wal.checkpoint"] {
            assert!(
                check(name).is_err_and(|text| text.contains("database") && text.contains("another name")),
                "{name}"
            );
        }
        for name in ["archive/desk/rows.csv", "archive/desk/trades/rows.csv", "archive/desk/identity.json"] {
            assert!(check(name).is_err_and(|text| text.contains("is the archive")), "{name}");
        }
        for name in ["desk.csv", "desk", "other.duckdb.wal", "archive/rows.csv", "site/rows.csv"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }
}

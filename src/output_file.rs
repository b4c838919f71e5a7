//! A file that is written beside its name and takes the name when it is complete: whoever looks there finds what was
//! there before, or all of what is new.

mod protected;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// Links that are followed, as many as the system follows.
const LINKS: usize = 40;
/// What is there is the system's, and never replaced by a file.
const OF_THE_SYSTEM: [&str; 2] = ["/dev", "/proc"];

/// A file on its way. Dropped before it is [complete](OutputFile::complete), it leaves what was there before.
///
/// Links are followed and stay. A pipe or a device is written to as the bytes come, and stays too.
#[derive(Debug)]
pub struct OutputFile {
    file: File,
    beside: Option<Beside>,
}

/// Where it is until it is complete, and where it goes then.
#[derive(Debug)]
struct Beside {
    path: PathBuf,
    target: PathBuf,
}

impl OutputFile {
    /// Opens what is to become the file at `path`, which a user has named, with the permissions of the one that is there.
    /// What belongs to a database is refused. Opening a pipe waits for its reader.
    pub fn begin(path: &Path) -> Result<Self> {
        let target = follow(path)?;
        let existing = match fs::metadata(&target) {
            Ok(existing) => Some(existing),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if let Some(existing) = &existing {
            if existing.is_dir() {
                return Err(Error::from(ErrorKind::IsADirectory));
            }
            // Also shows that it may be written to, which a rename does not ask.
            let file = OpenOptions::new().write(true).open(&target)?;
            if !existing.is_file() || is_of_the_system(&target) {
                return Ok(Self { file, beside: None });
            }
        }
        protected::refuse(&target, directory_of(&target))?;
        let path = beside(&target)?;
        let file = create(&path, existing.is_some())?;
        let output = Self { file, beside: Some(Beside { path, target }) };
        if let Some(existing) = existing {
            keep_owner(&output.file, &existing);
            output.file.set_permissions(existing.permissions())?;
        }
        Ok(output)
    }

    /// Refuses what belongs to a database, as [`OutputFile::begin`] does.
    pub fn check(path: &Path) -> Result<()> {
        let target = follow(path)?;
        protected::refuse(&target, directory_of(&target))
    }

    /// Where to write.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Puts the file in its place, durably.
    pub fn complete(mut self) -> Result<()> {
        let Some(Beside { path, target }) = &self.beside else { return Ok(()) };
        self.file.sync_all()?;
        fs::rename(path, target)?;
        let directory = directory_of(target).to_owned();
        self.beside = None;
        // Elsewhere a directory cannot be opened, and a rename lasts by itself.
        if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if let Some(Beside { path, .. }) = &self.beside {
            // Nothing is left to be done when it cannot be removed either.
            let _ = fs::remove_file(path);
        }
    }
}

/// The path that the links at `path` lead to, whether or not anything is there.
fn follow(path: &Path) -> Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        if is_of_the_system(&path) || !fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            return Ok(path);
        }
        path = directory_of(&path).join(fs::read_link(&path)?);
    }
    Err(Error::other("too many links lead from one to the next"))
}

fn is_of_the_system(path: &Path) -> bool {
    cfg!(unix) && OF_THE_SYSTEM.iter().any(|directory| path.starts_with(directory))
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name that nobody else uses, on the same file system.
fn beside(target: &Path) -> Result<PathBuf> {
    let name = target.file_name().ok_or(ErrorKind::IsADirectory)?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{:016x}.partial", rand::random::<u64>()));
    Ok(target.with_file_name(hidden))
}

/// What takes the place of a file is for its owner's eyes only until it has that file's permissions.
fn create(path: &Path, replaces: bool) -> Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if replaces {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = replaces;
    options.open(path)
}

/// As far as the system lets this user give files away.
#[cfg(unix)]
fn keep_owner(file: &File, existing: &fs::Metadata) {
    use std::os::unix::fs::MetadataExt;
    let _ = std::os::unix::fs::fchown(file, Some(existing.uid()), Some(existing.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &fs::Metadata) {}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_written_over_a_database() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("desk.duckdb");
        fs::write(&path, [&[0; 8][..], b"DUCK", &[0; 100]].concat()).unwrap();
        let refused = OutputFile::begin(&path).unwrap_err();
        assert!(refused.to_string().contains("database"), "{refused}");
        assert_eq!(fs::metadata(&path).unwrap().len(), 112);
    }

    #[test]
    fn what_was_there_stays_until_the_file_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.csv");
        fs::write(&path, "yesterday").unwrap();
        let output = OutputFile::begin(&path).unwrap();
        output.file().write_all(b"to").unwrap();
        drop(output);
        assert_eq!(
            (fs::read_to_string(&path).unwrap(), names(directory.path())),
            ("yesterday".into(), vec!["a.csv".into()])
        );
        let output = OutputFile::begin(&path).unwrap();
        output.file().write_all(b"today").unwrap();
        output.complete().unwrap();
        assert_eq!(
            (fs::read_to_string(&path).unwrap(), names(directory.path())),
            ("today".into(), vec!["a.csv".into()])
        );
        assert_eq!(OutputFile::begin(directory.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("deep")).unwrap();
        fs::write(at("deep/a.csv"), "yesterday").unwrap();
        fs::set_permissions(at("deep/a.csv"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("deep/a.csv", at("near")).unwrap();
        symlink("near", at("far")).unwrap();
        symlink("deep/new.csv", at("dangling")).unwrap();
        for (link, target) in [("far", "deep/a.csv"), ("dangling", "deep/new.csv")] {
            let output = OutputFile::begin(&at(link)).unwrap();
            output.file().write_all(b"today").unwrap();
            output.complete().unwrap();
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
            assert_eq!(fs::read_to_string(at(target)).unwrap(), "today");
        }
        assert_eq!(fs::metadata(at("deep/a.csv")).unwrap().permissions().mode() & 0o777, 0o640);
        symlink("round", at("round")).unwrap();
        assert!(OutputFile::begin(&at("round")).is_err());
        assert!(OutputFile::begin(Path::new("/dev/null")).unwrap().beside.is_none());
    }
}

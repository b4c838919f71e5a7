//! The settings file.

use std::path::PathBuf;

use super::error::Unusable;
use super::options::Options;

/// Read when no other file is named.
const DEFAULT_FILE: &str = "observability.toml";

/// Reads `named`, or the default file if it exists. No file is no settings.
pub(super) fn read(named: Option<PathBuf>) -> Result<Options, Unusable> {
    let must_exist = named.is_some();
    let path = named.unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    match std::fs::read_to_string(&path) {
        Ok(text) => toml::from_str(&text).map_err(|error| Unusable::File { path, error: Box::new(error) }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => Ok(Options::default()),
        Err(error) => Err(Unusable::FileUnreadable { path, error }),
    }
}

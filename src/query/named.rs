//! The SQL files of `queries/`: built into the program, and read from a directory that may replace them.
//!
//! A file is one statement with parameters by name, `$start`. The engine is given their positions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use crate::batch::ReadError;
use crate::store::Value;

macro_rules! built_in {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../queries/", $name, ".sql")))),+]
    };
}

/// Every question that the program itself asks.
static BUILT_IN: &[(&str, &str)] = built_in![
    "health/check",
    "history/market_data",
    "history/strategy",
    "history/strategy_raw",
    "history/execution",
    "history/execution_raw",
    "history/system",
    "history/system_raw",
    "restore/execution",
    "restore/strategies",
    "summary/table",
    "trades/by_id",
    "trades/count",
    "trades/execution_quality",
    "trades/list",
    "trades/statistics",
];

/// A statement and the order of its parameters.
#[derive(Debug)]
pub struct NamedQuery {
    /// The text, with `$1`, `$2` for its parameters.
    pub sql: Arc<str>,
    parameters: Vec<String>,
}

/// Every named query, by its path below `queries/` without the ending.
#[derive(Debug)]
pub struct NamedQueries {
    directory: Option<PathBuf>,
    /// Read on every question, written when a file changes.
    queries: RwLock<ByName>,
}

/// A file of queries cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum QueryFileError {
    /// It cannot be read.
    #[error("cannot read the query file {}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Its statement cannot be planned.
    #[error("queries/{name}.sql is not used: {error}")]
    Unusable {
        /// The query.
        name: &'static str,
        /// What is wrong with it.
        error: ReadError,
    },
}

/// Queries by name.
type ByName = HashMap<&'static str, Arc<str>>;

impl NamedQueries {
    /// The built-in queries. Files of the same path below `directory` replace them once they are read.
    pub fn new(directory: Option<PathBuf>) -> Self {
        let built_in = BUILT_IN.iter().map(|(name, text)| (*name, Arc::from(*text)));
        Self { directory, queries: RwLock::new(built_in.collect()) }
    }

    /// The queries as their files are now; `None` without a directory.
    pub(super) fn read(&self) -> Result<Option<ByName>, QueryFileError> {
        let Some(directory) = &self.directory else { return Ok(None) };
        let read = |(name, text): &(&'static str, &str)| {
            let replacement = replacement(directory, name)?;
            Ok((*name, Arc::from(replacement.as_deref().unwrap_or(text))))
        };
        BUILT_IN.iter().map(read).collect::<Result<_, _>>().map(Some)
    }

    /// Asks with these from now on.
    pub(super) fn replace(&self, queries: ByName) {
        *self.queries.write().unwrap_or_else(PoisonError::into_inner) = queries;
    }

    /// When the newest of the files in the directory was changed; `None` when there is no such file.
    pub fn last_change(&self) -> Option<SystemTime> {
        let directory = self.directory.as_ref()?;
        let changed = |(name, _): &(&str, &str)| {
            std::fs::metadata(directory.join(format!("{name}.sql"))).and_then(|file| file.modified()).ok()
        };
        BUILT_IN.iter().filter_map(changed).max()
    }

    /// The text of the query of that name, if there is one.
    pub fn find(&self, name: &str) -> Option<Arc<str>> {
        self.queries.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// The file that replaces a query, if there is one.
fn replacement(directory: &Path, name: &str) -> Result<Option<String>, QueryFileError> {
    let path = directory.join(format!("{name}.sql"));
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(QueryFileError::Unreadable { path, source }),
    }
}

impl NamedQuery {
    /// Numbers the parameters in the order in which they first appear; text in quotes and comments stays as it is.
    pub fn parse(text: &str) -> Self {
        let mut sql = String::with_capacity(text.len());
        let mut parameters: Vec<String> = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let length = match next {
                '\'' | '"' => quoted(rest, next),
                '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
                '$' => {
                    let name: String = rest
                        .chars()
                        .skip(1)
                        .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
                        .collect();
                    if !name.is_empty() {
                        let known = parameters.iter().position(|parameter| *parameter == name);
                        let position = known.unwrap_or_else(|| {
                            parameters.push(name.clone());
                            parameters.len() - 1
                        });
                        sql.push_str(&format!("${}", position + 1));
                        rest = rest.get(1 + name.len()..).unwrap_or_default();
                        continue;
                    }
                    1
                }
                other => other.len_utf8(),
            };
            let (taken, left) = rest.split_at(length);
            sql.push_str(taken);
            rest = left;
        }
        Self { sql: sql.into(), parameters }
    }

    /// The values of its parameters in their order; `Err` holds the name of one that is not among `values`.
    pub fn bind(&self, values: &[(&str, Value)]) -> Result<Vec<Value>, String> {
        let value = |parameter: &String| {
            let found = values.iter().find(|(name, _)| name == parameter);
            found.map(|(_, value)| value.clone()).ok_or_else(|| parameter.clone())
        };
        self.parameters.iter().map(value).collect()
    }
}

/// The length of the quoted text at the start of `text`; a doubled quote does not end it.
fn quoted(text: &str, quote: char) -> usize {
    let end = text.char_indices().skip(1).find(|(_, letter)| *letter == quote);
    end.map_or(text.len(), |(position, _)| position + quote.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_in_order_and_repeated_ones_share_a_number() {
        let query = NamedQuery::parse("SELECT '$no' -- $never\nWHERE a = $b AND c > $d OR e < $b AND \"$x\" = 1");
        assert_eq!(&*query.sql, "SELECT '$no' -- $never\nWHERE a = $1 AND c > $2 OR e < $1 AND \"$x\" = 1");
        let bound = query.bind(&[("d", Value::Integer(2)), ("b", Value::Integer(1))]);
        assert_eq!(bound, Ok(vec![Value::Integer(1), Value::Integer(2)]));
        assert_eq!(query.bind(&[("b", Value::Null)]), Err("d".into()));
    }

    #[test]
    fn every_built_in_query_is_found() {
        let queries = NamedQueries::new(None);
        for (name, _) in BUILT_IN {
            assert!(queries.find(name).is_some(), "{name}");
        }
    }
}

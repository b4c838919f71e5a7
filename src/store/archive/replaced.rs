//! Archived rows that rows of the database replace, of a table whose key is without time: rollups count them still.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::{StringArray, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use futures::TryStreamExt;

use super::{LATEST, archived, by_time, list};
use crate::archive::{FileKeys, key_column};
use crate::batch::ReadError;
use crate::store::reader::Reader;
use crate::store::snapshot::{ArchivedDay, Snapshot, Statement};
use crate::store::text::fill;
use crate::store::value::Value;
use crate::tables::{TIME_COLUMN, Table, column};
use crate::time::Micros;

/// Keys that one statement looks for.
const KEYS: usize = 500;
/// Keys of stored rows that are read at a time.
const PAGE: usize = 50_000;
/// Keys that are looked for one by one; where there may be more, the file is compared with all rows.
const MOST_KEYS: usize = 5_000;

/// Which rows of a file are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sought {
    /// All.
    All,
    /// Those with one of these keys.
    Keys(Vec<String>),
}

impl Reader {
    /// Instants and labels of an archived day's rows that rows of the database replace, as far as they are `sought`. Only a
    /// table whose key is without time can have any.
    pub async fn replaced(
        &self,
        table: &'static Table,
        day: ArchivedDay,
        sought: Sought,
        limit: Duration,
    ) -> Result<Vec<(Micros, String)>, ReadError> {
        if by_time(table) {
            return Ok(Vec::new());
        }
        let question = move |snapshot: &Snapshot<'_>| {
            let files = list(&snapshot.paths(std::slice::from_ref(&day))?);
            let statement = |sql: &str, keys: &[String]| {
                let places: Vec<_> = (1..=keys.len()).map(|place| format!("${place}")).collect();
                let sql = fill(sql, table)
                    .replace("{label}", table.label.unwrap_or("''"))
                    .replace("{files}", &files)
                    .replace("{keys}", &places.join(", "));
                Statement::new(sql, keys.iter().cloned().map(Value::Text).collect())
            };
            Ok(match &sought {
                Sought::All => vec![statement(include_str!("../../../queries/archive/replaced.sql"), &[])],
                Sought::Keys(keys) => {
                    let of_keys = include_str!("../../../queries/archive/replaced_keys.sql");
                    keys.chunks(KEYS).map(|keys| statement(of_keys, keys)).collect()
                }
            })
        };
        let batches: Vec<_> = self.ask(question, limit).await?.try_collect().await?;
        let mut rows = Vec::new();
        for batch in batches {
            let instants = column::<TimestampMicrosecondArray>(&batch, TIME_COLUMN).map_err(unexpected)?;
            let labels = column::<StringArray>(&batch, "label").map_err(unexpected)?;
            let labels = labels.iter().map(|label| label.unwrap_or_default().to_owned());
            rows.extend(instants.values().iter().copied().zip(labels));
        }
        Ok(rows)
    }

    /// The archived days whose files may have rows with one of these keys, newest first, and what to look for there. Of a
    /// file whose keys are not known nothing is said unless `unknown` ones are wanted too.
    pub async fn days_with_keys(
        &self,
        table: &'static Table,
        keys: Vec<StringArray>,
        unknown: bool,
    ) -> Result<Vec<(ArchivedDay, Sought)>, ReadError> {
        if key_column(table).is_none() {
            return Ok(Vec::new());
        }
        self.look(move |snapshot| snapshot.days_with_keys(table, &keys, unknown)).await
    }
}

impl Reader {
    /// The archived days whose files may have rows with the key of any row in the database, or whose keys are not known, newest
    /// first, and what to look for there.
    pub async fn days_with_stored_keys(
        &self,
        table: &'static Table,
        limit: Duration,
    ) -> Result<Vec<(ArchivedDay, Sought)>, ReadError> {
        let Some(key) = key_column(table) else { return Ok(Vec::new()) };
        let sql = fill(include_str!("../../../queries/archive/keys_after.sql"), table);
        let sql = sql.replace("{limit}", &PAGE.to_string());
        let mut found = BTreeMap::new();
        let mut after = String::new();
        loop {
            let page: Vec<_> =
                self.query(sql.as_str(), vec![Value::Text(after.clone())], limit).await?.try_collect().await?;
            let keys = page.iter().map(|batch| column::<StringArray>(batch, key).cloned());
            let keys = keys.collect::<Result<Vec<_>, _>>().map_err(unexpected)?;
            let Some(last) = keys.iter().flatten().flatten().last() else { break };
            after = last.to_owned();
            for (day, sought) in self.days_with_keys(table, keys, true).await? {
                // With keys of several pages it is compared with all rows.
                let sought = if found.contains_key(&day.start) { Sought::All } else { sought };
                found.insert(day.start, (day, sought));
            }
        }
        Ok(found.into_values().rev().collect())
    }
}

impl Snapshot<'_> {
    fn days_with_keys(
        &self,
        table: &Table,
        keys: &[StringArray],
        unknown: bool,
    ) -> Result<Vec<(ArchivedDay, Sought)>, ReadError> {
        let mut found = Vec::new();
        let mut before = LATEST;
        loop {
            let days = self.filters(table, before)?;
            let Some((oldest, _)) = days.last() else { return Ok(found) };
            before = *oldest;
            for (day, filter) in days {
                let of_file = FileKeys::new(filter.as_deref());
                let sought = match of_file.are_known() {
                    true => sought(keys, &of_file),
                    false => unknown.then_some(Sought::All),
                };
                let Some(sought) = sought else { continue };
                found.extend(archived(self.connection, table, day, day)?.into_iter().map(|day| (day, sought.clone())));
            }
        }
    }
}

/// Which of the keys a file may have; `None` for none of them.
fn sought(keys: &[StringArray], of_file: &FileKeys) -> Option<Sought> {
    let keys = keys.iter().flat_map(|keys| keys.iter().flatten()).filter(|key| of_file.may_have(key));
    let keys: Vec<_> = keys.take(MOST_KEYS + 1).map(str::to_owned).collect();
    match keys.len() {
        0 => None,
        count if count > MOST_KEYS => Some(Sought::All),
        _ => Some(Sought::Keys(keys)),
    }
}

fn unexpected(error: ArrowError) -> ReadError {
    ReadError::Failed(error.to_string())
}

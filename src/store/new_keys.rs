//! Keys of rows that have come in, of tables whose key is without time. Archived rows may have the same: the writer does not
//! look into files for them, and somebody else has to. A table that has such keys is noted in the database, in the
//! transaction that stores the first of them: after an end of the program, the keys of all rows in the database are new ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, StringArray};
use duckdb::Connection;
use tokio::sync::Notify;

use super::maintenance::{Maintenance, MaintenanceError};
use crate::archive::FileKeys;
use crate::tables::{TABLES, Table};

/// What may wait: some 300,000 keys.
const MOST_BYTES: usize = 16 << 20;

/// Keys that wait to be looked for. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct NewKeys {
    waiting: Arc<Mutex<Waiting>>,
    arrived: Arc<Notify>,
}

/// What is to be looked for.
#[derive(Debug, Clone, Default)]
pub struct Unlooked {
    keys: Vec<Arrived>,
    /// Tables of which more keys are new than are among `keys`: all that the database has may be.
    all_of: Vec<&'static Table>,
}

/// Keys of one commit, and the how manieth it was.
#[derive(Debug, Clone)]
struct Arrived {
    number: u64,
    table: &'static Table,
    keys: StringArray,
}

#[derive(Debug, Default)]
struct Waiting {
    new: Unlooked,
    bytes: usize,
    /// What is being looked for.
    looking: Unlooked,
    /// Tables of which files are left to be looked into.
    postponed: Vec<&'static Table>,
    /// Tables that are noted in the database.
    noted: Vec<&'static Table>,
    /// The last commit, and the last one whose keys are not all here any more although they are not looked for yet.
    number: u64,
    unseen: u64,
}

impl Unlooked {
    /// The new keys of a table.
    pub fn keys_of(&self, table: &Table) -> Vec<StringArray> {
        let of_table = self.keys.iter().filter(|arrived| std::ptr::eq(arrived.table, table));
        of_table.map(|arrived| arrived.keys.clone()).collect()
    }

    /// Whether any key of a table that the database has may be new.
    pub fn is_all_of(&self, table: &Table) -> bool {
        has(&self.all_of, table)
    }

    fn is_of(&self, table: &Table) -> bool {
        self.is_all_of(table) || self.keys.iter().any(|arrived| std::ptr::eq(arrived.table, table))
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.all_of.is_empty()
    }
}

impl NewKeys {
    /// Reads for which tables the last run left some.
    pub(super) fn read(connection: &Connection) -> Result<Self, duckdb::Error> {
        let new_keys = Self::default();
        for table in TABLES {
            let unlooked = include_str!("../../queries/archive/unlooked.sql");
            if connection.query_row(unlooked, [table.name], |row| row.get::<_, i64>(0))? > 0 {
                let mut waiting = new_keys.lock();
                waiting.noted.push(table);
                waiting.new.all_of.push(table);
            }
        }
        new_keys.arrived.notify_one();
        Ok(new_keys)
    }

    /// Notes in the open transaction, which stores new keys of a table, that there are some; costs nothing where it is noted.
    pub(super) fn note(&self, connection: &Connection, table: &Table) -> Result<(), duckdb::Error> {
        if has(&self.lock().noted, table) {
            return Ok(());
        }
        connection.execute(include_str!("../../queries/archive/note_unlooked.sql"), [table.name]).map(drop)
    }

    /// Rows with these keys are committed, and that there are some is noted. What does not fit is read again from the database.
    pub fn add(&self, table: &'static Table, keys: impl IntoIterator<Item = StringArray>) {
        let mut waiting = self.lock();
        for keys in keys.into_iter().filter(|keys| !keys.is_empty()) {
            add_once(&mut waiting.noted, table);
            waiting.number += 1;
            let (number, bytes) = (waiting.number, keys.get_buffer_memory_size());
            if waiting.bytes.saturating_add(bytes) > MOST_BYTES {
                waiting.unseen = number;
                add_once(&mut waiting.new.all_of, table);
                continue;
            }
            waiting.bytes += bytes;
            waiting.new.keys.push(Arrived { number, table, keys });
        }
        if !waiting.new.is_empty() {
            self.arrived.notify_one();
        }
    }

    /// All that wait, once there are some. [`looked`](Self::looked) has to follow.
    pub async fn take(&self) -> Unlooked {
        loop {
            {
                let mut waiting = self.lock();
                if !waiting.new.is_empty() {
                    waiting.bytes = 0;
                    waiting.looking = std::mem::take(&mut waiting.new);
                    return waiting.looking.clone();
                }
            }
            self.arrived.notified().await;
        }
    }

    /// What was taken has been looked for, but for tables where it `failed`, which is to be done again, and for files that
    /// are `postponed`: all that there are now.
    pub fn looked(&self, failed: &[&'static Table], postponed: Vec<&'static Table>) {
        let mut waiting = self.lock();
        let looked = std::mem::take(&mut waiting.looking);
        for arrived in looked.keys {
            if has(failed, arrived.table) {
                let bytes = arrived.keys.get_buffer_memory_size();
                if waiting.bytes.saturating_add(bytes) > MOST_BYTES {
                    waiting.unseen = waiting.unseen.max(arrived.number);
                    add_once(&mut waiting.new.all_of, arrived.table);
                } else {
                    waiting.bytes += bytes;
                    waiting.new.keys.push(arrived);
                }
            } else if has(&postponed, arrived.table) {
                waiting.unseen = waiting.unseen.max(arrived.number);
            }
        }
        for table in looked.all_of.into_iter().filter(|table| has(failed, table)) {
            add_once(&mut waiting.new.all_of, table);
        }
        waiting.postponed = postponed;
    }

    /// Whether there are keys of a table that are not looked for yet.
    pub fn are_pending(&self, table: &Table) -> bool {
        let waiting = self.lock();
        waiting.new.is_of(table) || waiting.looking.is_of(table) || has(&waiting.postponed, table)
    }

    /// The number of the last commit with new keys.
    pub fn number(&self) -> u64 {
        self.lock().number
    }

    /// Whether keys that came in after the commit `number`, and that are not looked for yet, may be in a file.
    pub(super) fn may_be_in(&self, file: &FileKeys, table: &Table, number: u64) -> bool {
        let waiting = self.lock();
        if waiting.number <= number {
            return false;
        }
        let mut later = waiting
            .new
            .keys
            .iter()
            .chain(&waiting.looking.keys)
            .filter(|arrived| arrived.number > number && std::ptr::eq(arrived.table, table));
        // Into a file whose keys are not known perhaps nobody looks.
        !file.are_known()
            || waiting.unseen > number
            || later.any(|arrived| arrived.keys.iter().flatten().any(|key| file.may_have(key)))
    }

    fn forget(&self, table: &Table) {
        self.lock().noted.retain(|noted| !std::ptr::eq(*noted, table));
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maintenance {
    /// Takes the note away that keys are not looked for, of each table of which none are pending.
    pub async fn note_looked(&self, new_keys: &NewKeys) -> Result<(), MaintenanceError> {
        let is_done = |keys: &NewKeys, table: &Table| has(&keys.lock().noted, table) && !keys.are_pending(table);
        if !TABLES.into_iter().any(|table| is_done(new_keys, table)) {
            return Ok(());
        }
        let maintenance = self.clone();
        self.transact(move |hands| {
            maintenance.require_space()?;
            let new_keys = &hands.shared.new_keys;
            for table in TABLES.into_iter().filter(|table| is_done(new_keys, table)) {
                hands.connection.execute(include_str!("../../queries/archive/looked.sql"), [table.name])?;
                // Before the commit, which may fail: then it is noted twice, and that does no harm.
                new_keys.forget(table);
            }
            Ok(())
        })
        .await
    }
}

fn has(tables: &[&'static Table], table: &Table) -> bool {
    tables.iter().any(|known| std::ptr::eq(*known, table))
}

fn add_once(tables: &mut Vec<&'static Table>, table: &'static Table) {
    if !has(tables, table) {
        tables.push(table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::TRADES;

    fn some() -> StringArray {
        StringArray::from(vec!["a", "b"])
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_what_does_not_fit_is_not_forgotten() {
        let keys = NewKeys::default();
        let many = StringArray::from(vec!["x".repeat(1 << 20); 8]);
        keys.add(&TRADES, [some(), many.clone()]);
        let taken = keys.take().await;
        assert_eq!(taken.keys_of(&TRADES).iter().map(|keys| keys.len()).collect::<Vec<_>>(), [2, 8]);
        assert!(!taken.is_all_of(&TRADES) && keys.are_pending(&TRADES));
        keys.looked(&[], Vec::new());
        assert!(!keys.are_pending(&TRADES));
        keys.add(&TRADES, [some(), many.clone(), many, some()]);
        let taken = keys.take().await;
        assert_eq!(taken.keys_of(&TRADES).iter().map(|keys| keys.len()).collect::<Vec<_>>(), [2, 8, 2]);
        assert!(taken.is_all_of(&TRADES));
        let waiting = tokio::spawn({
            let keys = keys.clone();
            async move { keys.take().await.keys.len() }
        });
        assert!(!waiting.is_finished());
        waiting.abort();
    }

    #[tokio::test]
    async fn what_failed_or_is_postponed_is_pending() {
        let keys = NewKeys::default();
        keys.add(&TRADES, [some()]);
        keys.take().await;
        keys.looked(&[&TRADES], Vec::new());
        assert!(keys.are_pending(&TRADES));
        assert_eq!(keys.take().await.keys_of(&TRADES).len(), 1);
        keys.looked(&[], vec![&TRADES]);
        assert!(keys.are_pending(&TRADES));
        let unknown = FileKeys::new(None);
        assert!(keys.may_be_in(&unknown, &TRADES, 0));
        assert!(!keys.may_be_in(&unknown, &TRADES, keys.number()), "nothing came since");
        keys.looked(&[], Vec::new());
        assert!(!keys.are_pending(&TRADES));
    }
}

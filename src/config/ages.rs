//! How old rows become before they go: into the archive, or for good.

use std::collections::BTreeMap;

use crate::store::{LEVELS, Level};
use crate::tables::{TABLES, Table};

/// When days leave the database for the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveSettings {
    /// Days that stay in the database besides today, 0 for none; `None` archives nothing.
    pub hot_days: Option<u32>,
    /// The same for single tables, by name.
    pub tables: BTreeMap<&'static str, Option<u32>>,
}

/// When days are dropped, in days; what is not named is kept for ever.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetentionSettings {
    /// Rows of tables, by name, in the database and in the archive.
    pub tables: BTreeMap<&'static str, Option<u32>>,
    /// Buckets of levels of roll-ups, by name, of every table.
    pub levels: BTreeMap<&'static str, Option<u32>>,
}

impl Default for ArchiveSettings {
    fn default() -> Self {
        Self { hot_days: Some(30), tables: BTreeMap::new() }
    }
}

impl ArchiveSettings {
    /// Days of a table that stay in the database besides today.
    pub fn hot_days(&self, table: &Table) -> Option<u32> {
        self.tables.get(table.name).copied().unwrap_or(self.hot_days)
    }
}

impl RetentionSettings {
    /// Days of a table that are kept; `None` keeps all.
    pub fn table(&self, table: &Table) -> Option<u32> {
        self.tables.get(table.name).copied().flatten()
    }

    /// Days of a level of roll-ups that are kept; `None` keeps all.
    pub fn level(&self, level: Level) -> Option<u32> {
        self.levels.get(level.name()).copied().flatten()
    }
}

/// The name of a table that is declared.
pub fn table_name(name: &str) -> Option<&'static str> {
    TABLES.into_iter().map(|table| table.name).find(|known| *known == name)
}

/// The name of a level from that of its setting, `rollup_1m`.
pub fn level_name(setting: &str) -> Option<&'static str> {
    let name = setting.strip_prefix("rollup_")?;
    LEVELS.into_iter().map(Level::name).find(|known| *known == name)
}

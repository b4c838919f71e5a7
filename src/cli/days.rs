//! Ages in days, of tables and of levels of roll-ups.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;

use super::value::{Expected, expected, one};
use crate::config::{RetentionSettings, level_name, table_name};
use crate::store::{LEVELS, Level};
use crate::tables::TABLES;

/// A number of whole days, `400d` or `400`, or `never`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days(Option<u32>);

/// Days of tables, by name.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "BTreeMap<String, Days>")]
pub(super) struct TableDays(BTreeMap<&'static str, Option<u32>>);

/// Days of tables and levels, by name; as text, `market_data=400d,rollup_1m=90d`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "BTreeMap<String, Days>")]
pub(super) struct Retain(RetentionSettings);

impl FromStr for Days {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        if text == "never" {
            return Ok(Self(None));
        }
        match text.strip_suffix('d').unwrap_or(text).parse() {
            Ok(days @ 0..=100_000) => Ok(Self(Some(days))),
            _ => expected("a number of days from 0 to 100000 such as 30 or 30d, or never"),
        }
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one(deserializer)
    }
}

impl TryFrom<BTreeMap<String, Days>> for TableDays {
    type Error = Expected;

    fn try_from(days: BTreeMap<String, Days>) -> Result<Self, Expected> {
        let named = days.into_iter().map(|(name, days)| Ok((table_name(&name).map_or_else(tables, Ok)?, days.0)));
        named.collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<BTreeMap<String, Days>> for Retain {
    type Error = Expected;

    fn try_from(days: BTreeMap<String, Days>) -> Result<Self, Expected> {
        let mut settings = RetentionSettings::default();
        for (name, Days(days)) in days {
            if let Some(table) = table_name(&name) {
                settings.tables.insert(table, days);
            } else if let Some(level) = level_name(&name) {
                settings.levels.insert(level, days);
            } else {
                let levels = LEVELS.map(|level: Level| format!("rollup_{}", level.name()));
                return expected(format!("{}, {}", TABLES.map(|table| table.name).join(", "), levels.join(", ")));
            }
        }
        Ok(Self(settings))
    }
}

impl FromStr for Retain {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        let parts =
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| match part.split_once('=') {
                Some((name, days)) => Ok((name.trim().to_owned(), days.trim().parse()?)),
                None => expected("names and days such as market_data=400d,rollup_1m=90d"),
            });
        let mut all = BTreeMap::new();
        for part in parts {
            let (name, days): (String, Days) = part?;
            // What deletes is not left to which of two words comes last.
            if all.contains_key(&name) {
                return expected(format!("every name once, and {name} is there twice"));
            }
            all.insert(name, days);
        }
        all.try_into()
    }
}

fn tables<T>() -> Result<T, Expected> {
    expected(TABLES.map(|table| table.name).join(", "))
}

impl From<Days> for Option<u32> {
    fn from(days: Days) -> Self {
        days.0
    }
}

impl From<TableDays> for BTreeMap<&'static str, Option<u32>> {
    fn from(days: TableDays) -> Self {
        days.0
    }
}

impl From<Retain> for RetentionSettings {
    fn from(retain: Retain) -> Self {
        retain.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_and_may_be_without_end() {
        let days = |text: &str| text.parse::<Days>().map(|Days(days)| days).ok();
        assert_eq!(days("30"), Some(Some(30)));
        assert_eq!(days("400d"), Some(Some(400)));
        assert_eq!(days("0d"), Some(Some(0)));
        assert_eq!(days("never"), Some(None));
        for refused in ["", "d", "-1", "1.5", "30 days", "1000000"] {
            assert_eq!(days(refused), None, "{refused}");
        }
    }

    #[test]
    fn what_is_retained_is_named_by_tables_and_levels() {
        let Retain(found) = "market_data=400d, rollup_1m=90,trades=never".parse().unwrap();
        assert_eq!(found.tables, BTreeMap::from([("market_data", Some(400)), ("trades", None)]));
        assert_eq!(found.levels, BTreeMap::from([("1m", Some(90))]));
        for refused in ["market_data", "orders=1d", "rollup_2m=1d", "market_data=soon"] {
            assert!(refused.parse::<Retain>().is_err(), "{refused}");
        }
        for twice in ["trades=400d,trades=5d", "trades=5d,rollup_1m=9d, trades = 5d"] {
            assert!(twice.parse::<Retain>().unwrap_err().to_string().contains("trades is there twice"), "{twice}");
        }
    }
}

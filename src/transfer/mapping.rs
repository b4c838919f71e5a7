//! Which column of a source becomes which column of a table.

use std::collections::HashMap;

use chrono_tz::Tz;

use super::cell::Cell;
use super::convert::{Rules, Stored, TimeUnit, convert};
use crate::tables::{Column, Table};

/// What the user says about a source. Columns on the left are the table's.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// The source's name of a column, where it has another one.
    pub columns: Vec<(String, String)>,
    /// Values that are the same in every row.
    pub constants: Vec<(String, String)>,
    /// What words of the source stand for.
    pub translations: Vec<Translation>,
    /// Columns that take the nearest value that can be stored.
    pub round: Vec<String>,
    /// Texts that stand for no value.
    pub nulls: Vec<String>,
    /// The zone of clocks that do not name theirs.
    pub zone: Tz,
    /// What a number that stands for a time counts since 1970; by its size when absent.
    pub time_unit: Option<TimeUnit>,
}

/// What the words of a column stand for. A word that is not listed is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The column of the table.
    pub column: String,
    /// A word of the source and what is stored for it.
    pub words: Vec<(String, String)>,
}

/// The columns of a source.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    /// Their names.
    pub names: Vec<String>,
    /// How many of them are known to be there. The rest may turn up in later rows.
    pub seen: usize,
}

/// Why a source cannot be brought to a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The table has no such column.
    #[error("{option} {column}: {table} has no such column; its columns are {columns}")]
    NoSuchColumn {
        /// The option that names it.
        option: &'static str,
        /// The name.
        column: String,
        /// The table.
        table: &'static str,
        /// The columns that it has.
        columns: String,
    },
    /// Two options decide about one column.
    #[error("{column} is given twice: use one --map or one --set for it")]
    GivenTwice {
        /// The column.
        column: String,
    },
    /// The source has no such column.
    #[error("--map {column}={name}: {source_name} has no column {name}; it has {columns}")]
    NoSuchSource {
        /// The file.
        source_name: String,
        /// The column of the table.
        column: String,
        /// The column that is not there.
        name: String,
        /// Those that are.
        columns: String,
    },
    /// The source has a wanted name twice.
    #[error("{source_name} has two columns {name}: rename one of them")]
    Ambiguous {
        /// The file.
        source_name: String,
        /// The name.
        name: String,
    },
    /// A constant is no value of its column.
    #[error("--set {column}={value}: the value {reason}")]
    Constant {
        /// The column.
        column: String,
        /// The value.
        value: String,
        /// Why not.
        reason: String,
    },
    /// Required columns that nothing gives.
    #[error(
        "{source_name} does not give {missing}, which {table} requires; add {suggestion}. It has the columns {columns}"
    )]
    Missing {
        /// The file.
        source_name: String,
        /// The columns of the table.
        missing: String,
        /// The table.
        table: &'static str,
        /// Options that would help.
        suggestion: String,
        /// The columns of the source.
        columns: String,
    },
}

/// Where each column of a table comes from.
#[derive(Debug)]
pub struct Plan {
    pub(super) table: &'static Table,
    pub(super) targets: Vec<Target>,
    pub(super) rules: Rules,
    ignored: Vec<String>,
}

/// Where one column comes from.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) column: &'static Column,
    pub(super) origin: Origin,
    pub(super) round: bool,
    pub(super) words: Option<HashMap<String, String>>,
}

#[derive(Debug)]
pub(super) enum Origin {
    /// Nowhere: no value.
    Absent,
    /// The same in every row.
    Constant(Stored<'static>),
    /// A column of the source.
    Column(usize),
}

impl Mapping {
    /// Names that the rows of a source may have for the columns of `table`.
    pub fn wanted(&self, table: &Table) -> Vec<String> {
        let given = |column: &&Column| !self.constants.iter().any(|(name, _)| name == column.name);
        table.columns.iter().filter(given).map(|column| self.source_name(column).to_owned()).collect()
    }

    /// What the source calls a column.
    pub fn source_name<'a>(&'a self, column: &'a Column) -> &'a str {
        let mapped = self.columns.iter().find(|(name, _)| name == column.name);
        mapped.map_or(column.name, |(_, source)| source)
    }

    /// Whether every option names columns of `table`, and none twice.
    pub fn check(&self, table: &'static Table) -> Result<(), MappingError> {
        let columns = self.columns.iter().map(|(column, _)| ("--map", column));
        let constants = self.constants.iter().map(|(column, _)| ("--set", column));
        let values = self.translations.iter().map(|translation| ("--values", &translation.column));
        let round = self.round.iter().map(|column| ("--round", column));
        for (option, column) in columns.clone().chain(constants.clone()).chain(values).chain(round) {
            if table.position(column).is_none() {
                return Err(MappingError::NoSuchColumn {
                    option,
                    column: column.clone(),
                    table: table.name,
                    columns: list(table.columns.iter().map(|column| column.name)),
                });
            }
        }
        let mut given: Vec<&String> = columns.chain(constants).map(|(_, column)| column).collect();
        given.sort();
        match given.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first()) {
            Some(column) => Err(MappingError::GivenTwice { column: (*column).clone() }),
            None => Ok(()),
        }
    }
}

impl Plan {
    /// Matches the columns of a source, named `source_name` in errors, with those of `table`.
    pub fn new(
        table: &'static Table,
        mapping: &Mapping,
        source_name: &str,
        columns: &Columns,
    ) -> Result<Self, MappingError> {
        mapping.check(table)?;
        let rules = Rules { zone: mapping.zone, unit: mapping.time_unit, nulls: mapping.nulls.clone() };
        let seen = columns.names.get(..columns.seen).unwrap_or_default();
        let mut targets = Vec::with_capacity(table.columns.len());
        for column in table.columns {
            let round = mapping.round.iter().any(|name| name == column.name);
            let words = mapping.translations.iter().filter(|translation| translation.column == column.name);
            let words: HashMap<_, _> = words.flat_map(|translation| translation.words.iter().cloned()).collect();
            let origin = match mapping.constants.iter().find(|(name, _)| name == column.name) {
                Some((_, value)) => Origin::Constant(constant(column, value, &rules, round)?),
                None => origin(mapping, column, source_name, columns)?,
            };
            targets.push(Target { column, origin, round, words: Some(words).filter(|words| !words.is_empty()) });
        }
        let taken = |position: usize| {
            targets.iter().any(|target| matches!(target.origin, Origin::Column(column) if column == position))
        };
        let ignored = seen.iter().enumerate().filter(|(position, _)| !taken(*position));
        let ignored: Vec<String> = ignored.map(|(_, name)| name.clone()).collect();
        let missing: Vec<&Column> = targets
            .iter()
            .filter(|target| !target.column.nullable)
            .filter(|target| match target.origin {
                Origin::Absent => true,
                Origin::Constant(_) => false,
                Origin::Column(position) => position >= columns.seen,
            })
            .map(|target| target.column)
            .collect();
        if !missing.is_empty() {
            return Err(MappingError::Missing {
                source_name: source_name.to_owned(),
                missing: list(missing.iter().map(|column| column.name)),
                table: table.name,
                suggestion: missing.iter().map(|column| suggestion(column, &ignored)).collect::<Vec<_>>().join(" "),
                columns: list(seen),
            });
        }
        Ok(Self { table, targets, rules, ignored })
    }

    /// Columns of the source that are not taken.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Whether a column of the source is taken.
    pub fn takes(&self, position: usize) -> bool {
        self.targets.iter().any(|target| matches!(target.origin, Origin::Column(column) if column == position))
    }

    /// The position of a column of the table in the source.
    pub fn position(&self, column: &str) -> Option<usize> {
        let target = self.targets.iter().find(|target| target.column.name == column)?;
        match target.origin {
            Origin::Column(position) => Some(position),
            _ => None,
        }
    }
}

fn origin(
    mapping: &Mapping,
    column: &'static Column,
    source_name: &str,
    columns: &Columns,
) -> Result<Origin, MappingError> {
    let name = mapping.source_name(column);
    let mut found = columns.names.iter().enumerate().filter(|(_, candidate)| *candidate == name);
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(MappingError::Ambiguous { source_name: source_name.into(), name: name.into() }),
        (Some((position, _)), None) => Ok(Origin::Column(position)),
        (None, _) if name != column.name => Err(MappingError::NoSuchSource {
            source_name: source_name.to_owned(),
            column: column.name.to_owned(),
            name: name.to_owned(),
            columns: list(columns.names.get(..columns.seen).unwrap_or_default()),
        }),
        (None, _) => Ok(Origin::Absent),
    }
}

fn constant(column: &Column, value: &str, rules: &Rules, round: bool) -> Result<Stored<'static>, MappingError> {
    let cell = if value.is_empty() { Cell::Null } else { Cell::Text(value.to_owned().into()) };
    convert(column, cell, rules, round).map_err(|reason| MappingError::Constant {
        column: column.name.to_owned(),
        value: value.to_owned(),
        reason: reason.into_owned(),
    })
}

/// The option that would give a missing column: from one of a similar name, if there is one that nobody takes.
fn suggestion(column: &Column, free: &[String]) -> String {
    let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let wanted = plain(column.name);
    let similar = free.iter().find(|name| {
        let name = plain(name);
        name.len() > 1 && (wanted.contains(&name) || name.contains(&wanted))
    });
    match similar {
        Some(name) => format!("--map {}={name}", column.name),
        None => format!("--map {0}=COLUMN or --set {0}=VALUE", column.name),
    }
}

fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::TRADES;

    fn mapping() -> Mapping {
        Mapping {
            columns: Vec::new(),
            constants: Vec::new(),
            translations: Vec::new(),
            round: Vec::new(),
            nulls: Vec::new(),
            zone: Tz::UTC,
            time_unit: None,
        }
    }

    fn columns(names: &[&str]) -> Columns {
        Columns { names: names.iter().map(|name| (*name).to_owned()).collect(), seen: names.len() }
    }

    fn pair(left: &str, right: &str) -> (String, String) {
        (left.into(), right.into())
    }

    #[test]
    fn equal_names_are_taken_and_what_is_missing_is_suggested() {
        let found = columns(&["Timestamp", "trade_id", "price", "quantity", "buyer_maker"]);
        let error = Plan::new(&TRADES, &mapping(), "x.csv", &found).unwrap_err().to_string();
        for told in ["timestamp, symbol, side", "--map timestamp=Timestamp", "--set symbol=VALUE", "buyer_maker"] {
            assert!(error.contains(told), "{told}: {error}");
        }
        let mapping = Mapping {
            columns: vec![pair("timestamp", "Timestamp"), pair("side", "buyer_maker")],
            constants: vec![pair("symbol", "BTC")],
            ..mapping()
        };
        let plan = Plan::new(&TRADES, &mapping, "x.csv", &found).unwrap();
        assert!(plan.ignored().is_empty());
        assert_eq!(plan.position("side"), Some(4));
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        let found = columns(&["timestamp", "trade_id", "symbol", "side", "price", "quantity", "at"]);
        let refused = |mapping: Mapping| Plan::new(&TRADES, &mapping, "x.csv", &found).unwrap_err().to_string();
        let one = |left, right| Mapping { columns: vec![pair(left, right)], ..mapping() };
        assert!(refused(one("last_price", "price")).contains("trades has no such column"));
        assert!(refused(one("timestamp", "when")).contains("x.csv has no column when"));
        let both = Mapping { constants: vec![pair("timestamp", "2022-01-01")], ..one("timestamp", "at") };
        assert!(refused(both).contains("timestamp is given twice"));
        let constant = Mapping { constants: vec![pair("quantity", "many")], ..mapping() };
        assert!(refused(constant).contains("--set quantity=many"));
        let round = Mapping { round: vec!["volume".into()], ..mapping() };
        assert!(refused(round).contains("--round volume"));
        assert!(Plan::new(&TRADES, &mapping(), "x.csv", &columns(&["price", "price"])).is_err());
    }
}

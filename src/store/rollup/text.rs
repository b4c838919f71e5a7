//! The statements of `queries/rollup` for a table: its columns and names are put in, never a value from outside.

use super::Level;
use crate::tables::{ColumnKind, TIME_COLUMN, Table};
use crate::time::Micros;

/// What the columns of partials are made of.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// Rows of the table.
    Rows,
    /// Narrower buckets.
    Buckets,
}

/// Which columns buckets are made with. The fewer there are, the sooner a statement is planned.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// All.
    All,
    /// Those that a query names: its text.
    NamedIn(&'a str),
}

impl<'a> Wanted<'a> {
    /// What a query needs of its buckets.
    pub fn by(query: &'a str) -> Self {
        let all = query.match_indices('*').any(|(place, _)| {
            let before = query.get(..place).unwrap_or_default().trim_end();
            let word = before.rsplit(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
            before.ends_with(['.', ',']) || word.eq_ignore_ascii_case("select")
        });
        if all || query.to_ascii_lowercase().contains("columns(") { Self::All } else { Self::NamedIn(query) }
    }

    fn has(self, column: &str) -> bool {
        let Self::NamedIn(query) = self else { return true };
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        query.match_indices(column).any(|(place, _)| {
            let (before, after) = (query.get(..place), query.get(place + column.len()..));
            !before.is_some_and(|before| before.ends_with(is_part))
                && !after.is_some_and(|after| after.starts_with(is_part))
        })
    }
}

/// Buckets, made of the rows of `rows` from `from` up to but not including `until`.
///
/// `rows` is a relation, the table itself or a subquery; `bucket` is the start of a row's bucket, as [`bucket`] or
/// [`bucket_from`] gives it; `filter` is empty or begins with AND.
pub fn of_rows(
    table: &Table,
    wanted: Wanted<'_>,
    rows: &str,
    bucket: &str,
    (from, until): (Micros, Micros),
    filter: &str,
) -> String {
    let sql = include_str!("../../../queries/rollup/partial.sql");
    shared(sql, table, wanted, Source::Rows, bucket)
        .replace("{rows}", rows)
        .replace("{from}", &from.to_string())
        .replace("{until}", &until.to_string())
        .replace("{filter}", filter)
}

/// Buckets of `width`, made of the narrower ones of the relation `buckets`.
pub fn of_buckets(table: &Table, wanted: Wanted<'_>, buckets: &str, width: Micros) -> String {
    let sql = include_str!("../../../queries/rollup/merge.sql");
    shared(sql, table, wanted, Source::Buckets, &bucket("bucket", width)).replace("{buckets}", buckets)
}

/// The buckets of a level from `from` up to but not including `until`; `filter` is empty or begins with AND.
pub fn span(table: &Table, wanted: Wanted<'_>, level: Level, (from, until): (Micros, Micros), filter: &str) -> String {
    let label = table.label.into_iter().map(str::to_owned);
    let columns = columns(table, wanted, Source::Buckets).into_iter().map(|(name, _)| name);
    let columns: Vec<_> =
        ["bucket".to_owned()].into_iter().chain(label).chain(["rows".to_owned()]).chain(columns).collect();
    fill(include_str!("../../../queries/rollup/span.sql"), table, level)
        .trim_end()
        .replace("{columns}", &columns.join(", "))
        .replace("{from}", &from.to_string())
        .replace("{until}", &until.to_string())
        .replace("{filter}", filter)
}

/// The start of the bucket in which the instant of a column lies, as an expression.
pub fn bucket(column: &str, width: Micros) -> String {
    let sql = include_str!("../../../queries/rollup/bucket.sql").trim_end();
    sql.replace("{time}", column).replace("{width}", &width.to_string())
}

/// The same for a part of a whole that begins at `from`: its first bucket does so too. In the order of buckets, those of a
/// part then come after those of the parts before it, and their first and last values are taken for what they are.
pub fn bucket_from(column: &str, width: Micros, from: Micros) -> String {
    format!("greatest({}, make_timestamp({from}))", bucket(column, width))
}

/// Puts the names of a table and one of its levels into a statement.
pub fn fill(sql: &str, table: &Table, level: Level) -> String {
    let label = table.label.map_or_else(String::new, |label| format!(", {label}"));
    let label_match = table.label.map_or_else(String::new, |label| format!("AND buckets.{label} = stale.{label}"));
    sql.replace("{table}", table.name)
        .replace("{level}", level.name())
        .replace("{, label}", &label)
        .replace("{label_match}", &label_match)
        .replace("{bucket}", &bucket("bucket", level.width()))
}

fn shared(sql: &str, table: &Table, wanted: Wanted<'_>, source: Source, bucket: &str) -> String {
    let label = table.label.map_or_else(String::new, |label| format!("{label},"));
    let columns = columns(table, wanted, source).into_iter().map(|(_, column)| format!(",\n    {column}"));
    sql.replace("{bucket}", bucket)
        .replace("{label}", &label)
        .replace("{key}", if table.label.is_some() { "1, 2" } else { "1" })
        .replace("{, columns}", &columns.collect::<String>())
}

/// The names of columns and what they are made of.
fn columns(table: &Table, wanted: Wanted<'_>, source: Source) -> Vec<(String, String)> {
    let order = if table.key.contains(&TIME_COLUMN) {
        TIME_COLUMN.to_owned()
    } else {
        // Rows of one instant are told apart by their key.
        format!("({TIME_COLUMN}, {})", table.key.join(", "))
    };
    let of_column = |column: &crate::tables::Column| {
        let sql = kind(column.kind, source)?;
        Some(sql.replace("{column}", column.name).replace("{order}", &order))
    };
    let mut texts: Vec<String> = table.columns.iter().filter_map(of_column).collect();
    texts.extend(own(table, source).map(str::to_owned));
    let column = |column: &str| {
        let (_, name) = column.rsplit_once(" AS ")?;
        let name = name.trim_end();
        wanted.has(name).then(|| (name.to_owned(), column.trim().to_owned()))
    };
    texts.iter().flat_map(|text| text.split(",\n")).filter_map(column).collect()
}

macro_rules! by_source {
    ($source:expr, $name:literal) => {
        match $source {
            Source::Rows => include_str!(concat!("../../../queries/rollup/partial/", $name, ".sql")),
            Source::Buckets => include_str!(concat!("../../../queries/rollup/merge/", $name, ".sql")),
        }
    };
}

/// What is kept of every numeric column.
fn kind(kind: ColumnKind, source: Source) -> Option<&'static str> {
    match kind {
        ColumnKind::Double => Some(by_source!(source, "double")),
        ColumnKind::Integer => Some(by_source!(source, "integer")),
        ColumnKind::BigInt => Some(by_source!(source, "bigint")),
        ColumnKind::Timestamp | ColumnKind::Text => None,
    }
}

/// What is kept beyond that, for what is asked of this table.
fn own(table: &Table, source: Source) -> Option<&'static str> {
    match table.name {
        "market_data" => Some(by_source!(source, "market_data")),
        "strategy_metrics" => Some(by_source!(source, "strategy_metrics")),
        "execution_metrics" => Some(by_source!(source, "execution_metrics")),
        "system_metrics" => Some(by_source!(source, "system_metrics")),
        "trades" => Some(by_source!(source, "trades")),
        _ => None,
    }
}

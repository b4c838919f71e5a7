//! Statements of `queries/write/` for a table. Only declared names are put in, never a value.

use duckdb::Connection;

use crate::tables::{TIME_COLUMN, Table};
use crate::time::Micros;

/// Puts the names of `table` into a statement.
pub fn fill(sql: &str, table: &Table) -> String {
    let key_match = table.key.iter().map(|column| format!("{}.{column} = staging.{column}", table.name));
    sql.replace("{table}", table.name)
        .replace("{time}", TIME_COLUMN)
        .replace("{key_match}", &key_match.collect::<Vec<_>>().join(" AND "))
}

/// The rows of a table from `from` up to but not including `until`, as a relation: wherever they are kept.
pub fn rows_of(
    _connection: &Connection,
    table: &Table,
    _from: Micros,
    _until: Micros,
) -> Result<String, duckdb::Error> {
    Ok(table.name.to_owned())
}

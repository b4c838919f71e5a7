//! Statements of `queries/write/` for a table. Only declared names are put in, never a value.

use crate::tables::{TIME_COLUMN, Table};

/// Puts the names of `table` into a statement.
pub fn fill(sql: &str, table: &Table) -> String {
    let key_match = table.key.iter().map(|column| format!("{}.{column} = staging.{column}", table.name));
    sql.replace("{table}", table.name)
        .replace("{time}", TIME_COLUMN)
        .replace("{key_match}", &key_match.collect::<Vec<_>>().join(" AND "))
}

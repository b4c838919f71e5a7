//! Statements of `queries/write/` and `queries/archive/` for a table. Only declared names are put in, never a value.

use crate::tables::{TIME_COLUMN, Table};

/// Puts the names of `table` into a statement.
pub fn fill(sql: &str, table: &Table) -> String {
    let key_match = table.key.iter().map(|column| format!("{}.{column} = staging.{column}", table.name));
    let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    // By the key at last, so that the order is one.
    let mut order: Vec<_> = table.label.into_iter().chain([TIME_COLUMN]).collect();
    order.extend(table.key.iter().filter(|column| Some(**column) != table.label && **column != TIME_COLUMN));
    sql.replace("{table}", table.name)
        .replace("{columns}", &columns.join(", "))
        .replace("{key}", &table.key.join(", "))
        .replace("{order}", &order.join(", "))
        .replace("{time}", TIME_COLUMN)
        .replace("{key_match}", &key_match.collect::<Vec<_>>().join(" AND "))
}

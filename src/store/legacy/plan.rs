//! What is rebuilt, and how.

use duckdb::Connection;

use crate::store::StoreError;
use crate::tables::{Column, TABLES, TIME_COLUMN, Table};

/// A table that is rebuilt.
pub struct Plan {
    /// The table.
    pub table: &'static Table,
    /// Whether its key is one of the database's too, so that no two rows share one.
    has_key: bool,
}

/// The tables that have to be rebuilt: those with a key or an index that the schema does not give them, and those whose
/// columns are the declared ones in another order or in a narrower type. Whatever else differs is refused later.
pub fn plans(connection: &Connection) -> Result<Vec<Plan>, duckdb::Error> {
    let found: Vec<(String, Option<String>)> = connection
        .prepare(include_str!("../../../queries/legacy/found.sql"))?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut plans = Vec::new();
    for table in TABLES {
        let columns = columns(connection, table)?;
        if !columns
            .iter()
            .all(|(name, kind)| table.columns.iter().any(|column| column.name == name && fits(kind, column)))
            || columns.len() != table.columns.len()
        {
            continue;
        }
        let as_declared = columns
            .iter()
            .zip(table.columns)
            .all(|((name, kind), column)| name == column.name && kind == column.kind.sql());
        let of_table = found.iter().filter(|(name, _)| name == table.name).map(|(_, key)| key.as_deref());
        let of_table: Vec<_> = of_table.collect();
        let mut key = table.key.to_vec();
        key.sort_unstable();
        let has_key = of_table.contains(&Some(&key.join(",")));
        let wanted: &[bool] = if table.key.contains(&TIME_COLUMN) { &[] } else { &[true] };
        let given: Vec<_> = of_table.iter().map(Option::is_some).collect();
        if !as_declared || given != wanted || has_key == wanted.is_empty() {
            plans.push(Plan { table, has_key });
        }
    }
    Ok(plans)
}

fn columns(connection: &Connection, table: &Table) -> Result<Vec<(String, String)>, duckdb::Error> {
    connection
        .prepare(include_str!("../../../queries/schema/columns.sql"))?
        .query_map([table.name], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Whether every value of a type is one of the column's as well.
fn fits(kind: &str, column: &Column) -> bool {
    let narrower: &[&str] = match column.kind.sql() {
        "BIGINT" => &["TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"],
        "INTEGER" => &["TINYINT", "SMALLINT", "UTINYINT", "USMALLINT"],
        "DOUBLE" => &["FLOAT", "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"],
        "TIMESTAMP" => &["TIMESTAMP_S", "TIMESTAMP_MS", "DATE"],
        "VARCHAR" => &["UUID"],
        _ => &[],
    };
    kind == column.kind.sql() || narrower.contains(&kind)
}

impl Plan {
    /// Whether every row has what the new table needs.
    pub fn check(&self, connection: &Connection) -> Result<(), StoreError> {
        let required: Vec<_> =
            self.table.columns.iter().filter(|column| !column.nullable).map(|column| column.name).collect();
        let missing = required.iter().map(|column| format!("{column} IS NULL")).collect::<Vec<_>>().join(" OR ");
        let sql = include_str!("../../../queries/legacy/incomplete.sql").replace("{any_missing}", &missing);
        match self.count(connection, &sql)? {
            0 => Ok(()),
            rows => Err(StoreError::IncompleteRows { table: self.table.name, rows, columns: required.join(", ") }),
        }
    }

    /// Rebuilds the table, in a transaction, and gives the number of its rows.
    pub fn rebuild(&self, connection: &Connection) -> Result<u64, StoreError> {
        connection.execute_batch("BEGIN")?;
        let rebuilt = self.fill_and_swap(connection);
        connection.execute_batch(if rebuilt.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        rebuilt
    }

    fn fill_and_swap(&self, connection: &Connection) -> Result<u64, StoreError> {
        let table = self.table.name;
        let run = |sql| connection.execute_batch(&self.put_names(sql));
        let found = self.count(connection, include_str!("../../../queries/legacy/count.sql"))?;
        run(include_str!("../../../queries/legacy/create.sql"))?;
        let expected = if self.has_key {
            run(include_str!("../../../queries/legacy/fill.sql"))?;
            found
        } else {
            run(include_str!("../../../queries/legacy/fill_last.sql"))?;
            self.count(connection, include_str!("../../../queries/legacy/count_keys.sql"))?
        };
        run(include_str!("../../../queries/legacy/swap.sql"))?;
        let rebuilt = self.count(connection, include_str!("../../../queries/legacy/count.sql"))?;
        if rebuilt != expected {
            return Err(StoreError::RowsDiffer { table, expected, rebuilt });
        }
        if found > expected {
            let replaced = found - expected;
            tracing::warn!(
                table,
                replaced,
                "rows had the key of a later one, which replaces them; the copy has them all"
            );
        }
        Ok(rebuilt)
    }

    fn count(&self, connection: &Connection, sql: &str) -> Result<u64, duckdb::Error> {
        connection.query_row(&self.put_names(sql), [], |row| row.get(0))
    }

    /// Only declared names are put in.
    fn put_names(&self, sql: &str) -> String {
        let Table { name, columns, key, .. } = *self.table;
        let definition = |column: &Column| {
            let required = if column.nullable { "" } else { " NOT NULL" };
            let key = if key == [column.name] && column.name != TIME_COLUMN { " PRIMARY KEY" } else { "" };
            format!("{} {}{required}{key}", column.name, column.kind.sql())
        };
        let names: Vec<_> = columns.iter().map(|column| column.name).collect();
        sql.replace("{table}", name)
            .replace("{time}", TIME_COLUMN)
            .replace("{key}", &key.join(", "))
            .replace("{names}", &names.join(", "))
            .replace("{columns}", &columns.iter().map(definition).collect::<Vec<_>>().join(", "))
    }
}

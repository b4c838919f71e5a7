//! Numbered schema files, applied in order and recorded in the database.

use duckdb::{Connection, params};

use super::StoreError;
use crate::tables::{TABLES, Table};
use crate::time;

/// One numbered file of `queries/schema/`.
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),+ $(,)?) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../queries/schema/", $name, ".sql")),
        }),+]
    };
}

static MIGRATIONS: &[Migration] = migrations![1 "001_tables", 2 "002_rollups", 3 "003_archive", 4 "004_archive_identity", 5 "005_stale_buckets", 6 "006_clock", 7 "007_unlooked_keys", 8 "008_dropped_days"];

/// The newest schema that this program knows.
pub fn version() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// All schema files, in their order.
pub fn text() -> String {
    MIGRATIONS.iter().map(|migration| migration.sql).collect::<Vec<_>>().join("\n")
}

/// Brings the database to the newest schema, then checks its columns against the declared tables.
pub fn migrate(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch(include_str!("../../queries/schema/migrations.sql"))?;
    let applied: Vec<i64> = connection
        .prepare(include_str!("../../queries/schema/applied.sql"))?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let known = version();
    if let Some(found) = applied.iter().copied().filter(|version| *version > known).max() {
        return Err(StoreError::Newer { found, known });
    }
    for migration in MIGRATIONS.iter().filter(|migration| !applied.contains(&migration.version)) {
        apply(connection, migration)?;
        tracing::info!(version = migration.version, name = migration.name, "schema file applied");
    }
    TABLES.into_iter().try_for_each(|table| check(connection, table))
}

/// All of a file or nothing of it.
fn apply(connection: &Connection, migration: &Migration) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN")?;
    let applied = connection.execute_batch(migration.sql).and_then(|()| {
        let now = duckdb::types::Value::Timestamp(duckdb::types::TimeUnit::Microsecond, time::now());
        connection
            .execute(include_str!("../../queries/schema/record.sql"), params![migration.version, migration.name, now])
    });
    connection.execute_batch(if applied.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    applied?;
    Ok(())
}

/// The appender matches columns by position and converts nothing: compare once, here.
fn check(connection: &Connection, table: &'static Table) -> Result<(), StoreError> {
    let found: Vec<(String, String)> = connection
        .prepare(include_str!("../../queries/schema/columns.sql"))?
        .query_map([table.name], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let expected: Vec<_> = table.columns.iter().map(|column| (column.name, column.kind.sql())).collect();
    if found.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).eq(expected.iter().copied()) {
        return Ok(());
    }
    let found = found.iter().map(|(name, kind)| format!("{name} {kind}")).collect::<Vec<_>>().join(", ");
    let expected = expected.iter().map(|(name, kind)| format!("{name} {kind}")).collect::<Vec<_>>().join(", ");
    Err(StoreError::SchemaMismatch { table: table.name, found, expected })
}

//! A database of an older service: its keys and indexes are left behind, after a copy of the file is made.
//!
//! DuckDB keeps keys in indexes that slow down writing and more than triple the file; see ARCHITECTURE.md, "The store".
//! Each table is rebuilt in a transaction of its own. A start that was broken off is gone on with: what is not rebuilt
//! yet is recognised by its keys.

mod copy;
mod plan;

use duckdb::Connection;

use super::StoreError;
use crate::config::StoreSettings;

/// Rebuilds what an older service has left, if anything. Gives the connection back, or another one to the same file.
pub fn rebuild(connection: Connection, settings: &StoreSettings) -> Result<Connection, StoreError> {
    let plans = plan::plans(&connection)?;
    let known = copy::made_before(&connection)?;
    if plans.is_empty() {
        if known.is_some() {
            copy::forget(&connection)?;
        }
        return Ok(connection);
    }
    plans.iter().try_for_each(|plan| plan.check(&connection))?;
    let (connection, kept) = match known.filter(|kept| kept.exists()) {
        Some(kept) => (connection, kept),
        None => copy::make(connection, settings)?,
    };
    let count = plans.len();
    tracing::warn!(
        "the database is of an older service: {count} of its tables are rebuilt without keys and indexes, once. The file \
         as it was is kept in {}",
        kept.display()
    );
    for (number, plan) in (1..).zip(&plans) {
        let rows = plan.rebuild(&connection)?;
        // What the old table took is free for the next one.
        connection.execute_batch("CHECKPOINT")?;
        tracing::info!(table = plan.table.name, rows, "rebuilt {number} of {count} tables");
    }
    copy::forget(&connection)?;
    connection.execute_batch("CHECKPOINT")?;
    tracing::warn!("every table is rebuilt; {} can be deleted when nobody misses anything", kept.display());
    Ok(connection)
}

#[cfg(test)]
mod tests;

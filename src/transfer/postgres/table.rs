//! One table of a server, read through a cursor.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Portal, Transaction};

use super::cells::{Clock, PostgresRows};
use super::{PostgresError, Server};
use crate::tables::{TIME_COLUMN, Table};
use crate::time::{Micros, SECOND};
use crate::transfer::mapping::{Columns, Plan};

/// A table as the server has it.
#[derive(Debug, Clone)]
pub struct SourceTable {
    /// Its name in SQL, quoted.
    name: String,
    /// Names and types of its columns.
    columns: Vec<(String, String)>,
}

/// The first and the last instant wanted, both inclusive, as the server's column counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Not before it.
    pub from: Option<Micros>,
    /// Not after it.
    pub to: Option<Micros>,
}

/// The rows of a table, oldest first, all of one moment.
pub struct TableReader<'a> {
    server: String,
    transaction: Transaction<'a>,
    portal: Portal,
    fetch: i32,
}

impl SourceTable {
    /// Its columns by name.
    pub fn columns(&self) -> Columns {
        let names: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        Columns { seen: names.len(), names }
    }

    /// The instant `utc` as a column of the plan's time counts it, which may be a clock in `zone`.
    pub fn clock(&self, plan: &Plan, utc: Micros, zone: Tz) -> Micros {
        let kind = plan.position(TIME_COLUMN).and_then(|position| self.columns.get(position));
        match kind {
            Some((_, kind)) if kind == "timestamp" => {
                let instant = DateTime::from_timestamp_micros(utc).unwrap_or_default().naive_utc();
                let ahead = zone.offset_from_utc_datetime(&instant).fix().local_minus_utc();
                utc + Micros::from(ahead) * SECOND
            }
            _ => utc,
        }
    }

    /// A statement of `queries/timescaledb` for this table.
    fn statement(&self, text: &str, table: &Table, plan: &Plan) -> Result<String, PostgresError> {
        let source = |column: &str| plan.position(column).and_then(|position| self.columns.get(position));
        let Some((time, kind)) = source(TIME_COLUMN).filter(|(_, kind)| kind.starts_with("timestamp")) else {
            let (column, kind) = source(TIME_COLUMN).cloned().unwrap_or_default();
            return Err(PostgresError::TimeKind { table: self.name.clone(), column, kind });
        };
        let rest = table.key.iter().filter(|column| **column != TIME_COLUMN).filter_map(|column| source(column));
        let order: Vec<String> =
            std::iter::once(time).chain(rest.map(|(name, _)| name)).map(|name| quoted(name)).collect();
        let columns = self.columns.iter().enumerate().map(|(position, (name, kind))| {
            // What nobody takes is not sent, and keeps its place.
            if plan.takes(position) { selected(name, kind) } else { "NULL::text".to_owned() }
        });
        Ok(text
            .replace("{columns}", &columns.collect::<Vec<_>>().join(", "))
            .replace("{table}", &self.name)
            .replace("{time}", &quoted(time))
            .replace("{kind}", kind)
            .replace("{order}", &order.join(", ")))
    }
}

impl Server {
    /// The table of that name, in `schema` or wherever the server looks first.
    pub async fn table(&self, table: &Table, schema: Option<&str>) -> Result<SourceTable, PostgresError> {
        let name = match schema {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(table.name)),
            None => quoted(table.name),
        };
        let columns = include_str!("../../../queries/timescaledb/columns.sql");
        let rows = self.client.query(columns, &[&name]).await.map_err(self.broke_off())?;
        let column = |row: &tokio_postgres::Row| Ok((row.try_get("name")?, row.try_get("kind")?));
        let columns = rows.iter().map(column).collect::<Result<Vec<_>, _>>().map_err(self.broke_off())?;
        if columns.is_empty() {
            return Err(PostgresError::NoTable { server: self.name.clone(), table: name.replace('"', "") });
        }
        Ok(SourceTable { name, columns })
    }

    /// The times of the first and the last row within `bounds`, as the server counts them; `None` without rows.
    pub async fn span(
        &self,
        source: &SourceTable,
        table: &Table,
        plan: &Plan,
        bounds: Bounds,
    ) -> Result<Option<(Micros, Micros)>, PostgresError> {
        let text = source.statement(include_str!("../../../queries/timescaledb/span.sql"), table, plan)?;
        let (from, to) = (bounds.from.map(Clock::At), bounds.to.map(Clock::At));
        let row = self.client.query_one(&text, &[&from, &to]).await.map_err(self.broke_off())?;
        let (first, last) = (row.try_get("first"), row.try_get("last"));
        match (first.map_err(self.broke_off())?, last.map_err(self.broke_off())?) {
            (Some(Clock::At(first)), Some(Clock::At(last))) => Ok(Some((first, last))),
            _ => Ok(None),
        }
    }

    /// Begins to read a table, `fetch` rows at a time.
    pub async fn read(
        &mut self,
        source: &SourceTable,
        table: &Table,
        plan: &Plan,
        bounds: Bounds,
        fetch: usize,
    ) -> Result<TableReader<'_>, PostgresError> {
        let text = source.statement(include_str!("../../../queries/timescaledb/rows.sql"), table, plan)?;
        let (server, broke_off) = (self.name.clone(), self.broke_off());
        let transaction =
            self.client.build_transaction().read_only(true).isolation_level(IsolationLevel::RepeatableRead);
        let transaction = transaction.start().await.map_err(&broke_off)?;
        let statement = transaction.prepare(&text).await.map_err(&broke_off)?;
        let bounds: [Option<Clock>; 2] = [bounds.from.map(Clock::At), bounds.to.map(Clock::At)];
        let parameters = bounds.iter().map(|bound| bound as &(dyn ToSql + Sync)).collect::<Vec<_>>();
        let portal = transaction.bind(&statement, &parameters).await.map_err(&broke_off)?;
        let fetch = i32::try_from(fetch.max(1)).unwrap_or(i32::MAX);
        Ok(TableReader { server, transaction, portal, fetch })
    }
}

impl TableReader<'_> {
    /// The next rows, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<PostgresRows>, PostgresError> {
        let rows = self.transaction.query_portal(&self.portal, self.fetch).await;
        let rows = rows.map_err(|source| PostgresError::Query { server: self.server.clone(), source })?;
        Ok((!rows.is_empty()).then(|| PostgresRows::new(rows)))
    }
}

/// A column in a type that can be read here; what has no type of its own here comes as text.
fn selected(name: &str, kind: &str) -> String {
    let name = quoted(name);
    match kind {
        "bool" | "int2" | "int4" | "int8" | "float4" | "float8" | "text" | "varchar" | "timestamp" | "timestamptz" => {
            name
        }
        "date" => format!("{name}::timestamp"),
        _ => format!("{name}::text"),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

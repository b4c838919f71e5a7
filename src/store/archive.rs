//! Days in two tiers: their rows as one relation, and the transactions that move a day from the database to the archive.

use std::path::Path;
use std::time::Duration;

use duckdb::types::{TimeUnit, Value as Bound};
use duckdb::{Connection, OptionalExt, params};
use futures::TryStreamExt;

use self::parts::DayParts;
use super::job::failed;
use super::maintenance::{Hands, Maintenance, MaintenanceError};
use super::reader::Reader;
use super::rollup::dropped::{drop_day, raise};
use super::rollup::{FINEST, Level, Reach, marks};
use super::snapshot::{ArchivedDay, Snapshot, Statement};
use super::text::fill;
use super::value::Value;
use crate::archive::{ArchiveError, Content, FileKeys, Files, Lease};
use crate::batch::{BatchStream, ReadError};
use crate::tables::{TIME_COLUMN, Table};
use crate::time::{DAY, Micros};

/// The instants that the database knows; a question may be about any.
const EARLIEST: Micros = -9_223_372_022_400_000_000;
const LATEST: Micros = Micros::MAX - 1;

pub use replaced::Sought;

/// A day of which the database has rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HotDay {
    /// Its first instant.
    pub start: Micros,
    /// Rows in the database.
    pub rows: u64,
}

/// A complete file of a day, which the archive has under its name.
#[derive(Debug, Clone)]
pub struct FiledDay {
    /// The first instant of the day.
    pub start: Micros,
    /// Its name, relative to the archive.
    pub file: String,
    /// What is in it.
    pub content: Content,
}

/// The rows of a table as a relation; see [`Snapshot::rows`]. What it names can be read as long as the lease lives.
fn rows_of(
    connection: &Connection,
    files: &Files,
    limit: Duration,
    table: &Table,
    from: Micros,
    until: Micros,
) -> Result<(String, Option<Lease>), ReadError> {
    let days = archived(connection, table, from, until.saturating_sub(1))?;
    if days.is_empty() {
        return Ok((table.name.to_owned(), None));
    }
    let lease = lease(files, &days, limit)?;
    let paths = days.iter().zip(lease.paths().iter().map(|path| path.as_path()));
    let (late, settled): (Vec<_>, Vec<_>) = paths.partition(|(day, _)| day.late || !by_time(table));
    let hot = replacing(table, late.iter().map(|(day, _)| *day));
    let rows = |days: &[(&ArchivedDay, &Path)]| {
        let paths: Vec<_> = days.iter().map(|(_, path)| quoted(path)).collect();
        (!paths.is_empty()).then(|| filed(table, &paths))
    };
    let stored = fill(include_str!("../../queries/archive/stored.sql"), table);
    let relation = relation(table, [stored].into_iter().chain(rows(&settled)), rows(&late).into_iter(), &hot);
    Ok((relation, Some(lease)))
}

/// The archived days of a table that have an instant from `start` to `end`, oldest first.
pub(super) fn archived(
    connection: &Connection,
    table: &Table,
    start: Micros,
    end: Micros,
) -> Result<Vec<ArchivedDay>, ReadError> {
    let mut statement = connection.prepare(include_str!("../../queries/archive/days.sql")).map_err(failed)?;
    let within = |micros: Micros| instant(micros.clamp(EARLIEST, LATEST));
    let day = |row: &duckdb::Row<'_>| {
        Ok(ArchivedDay {
            start: row.get(0)?,
            file: row.get(1)?,
            late: row.get(2)?,
            rows: row.get(3)?,
            bytes: row.get(4)?,
            checksum: row.get(5)?,
            hash: row.get(6)?,
            announced: announce::read(row.get::<_, Option<String>>(7)?.as_deref().unwrap_or_default()),
        })
    };
    statement
        .query_map(params![table.name, within(start), within(end)], day)
        .and_then(Iterator::collect)
        .map_err(failed)
}

/// Makes the files of days readable for as long as the lease lives.
fn lease(files: &Files, days: &[ArchivedDay], limit: Duration) -> Result<Lease, ReadError> {
    files.lease(days, limit).map_err(unreadable)
}

/// What it means for a question that a file cannot be read.
pub(super) fn unreadable(error: ArchiveError) -> ReadError {
    match error {
        ArchiveError::Read(error) => error,
        other => ReadError::Archive(other.to_string()),
    }
}

/// The end of the last archived day of a table.
pub(super) fn archive_end(connection: &Connection, table: &Table) -> Result<Option<Micros>, duckdb::Error> {
    connection.query_row(include_str!("../../queries/archive/end.sql"), [table.name], |row| row.get(0))
}

/// The rows of both tiers as a relation, of statements: `plain` ones for rows as they are, of the database and of archived days
/// without rows in it, and `late` ones for the files of days with some, of which rows replace others where `hot` holds.
///
/// The late ones are joined as one: each join reserves about 5 MB.
fn relation(
    table: &Table,
    plain: impl Iterator<Item = String>,
    late: impl Iterator<Item = String>,
    hot: &str,
) -> String {
    let late = late.collect::<Vec<_>>();
    let overlaid = (!late.is_empty()).then(|| overlaid(table, &late.join(" UNION ALL "), hot));
    format!("({})", plain.chain(overlaid).collect::<Vec<_>>().join(" UNION ALL "))
}

/// The rows of files, as a statement.
fn filed(table: &Table, files: &[String]) -> String {
    fill(include_str!("../../queries/archive/settled.sql"), table).replace("{files}", &list(files))
}

/// Those of the archived rows of a statement that the rows of the database do not replace for which `hot` holds.
fn overlaid(table: &Table, archived: &str, hot: &str) -> String {
    fill(include_str!("../../queries/archive/overlaid.sql"), table)
        .replace("{hot}", hot)
        .replace("{archived}", archived)
}

/// The rows of the database that may replace archived ones of `days`.
fn replacing<'a>(table: &Table, days: impl Iterator<Item = &'a ArchivedDay> + Clone) -> String {
    let starts = days.map(|day| day.start);
    match (starts.clone().min(), starts.max()) {
        (Some(first), Some(last)) if by_time(table) => span(first, last.saturating_add(DAY)),
        // A row may have taken over the key of a row of any day.
        _ => "TRUE".to_owned(),
    }
}

/// Whether rows of different days never have the same key.
fn by_time(table: &Table) -> bool {
    table.key.contains(&TIME_COLUMN)
}

fn span(start: Micros, end: Micros) -> String {
    format!("{TIME_COLUMN} >= make_timestamp({start}) AND {TIME_COLUMN} < make_timestamp({end})")
}

/// A path as a literal.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "''"))
}

/// Literals as a list.
fn list(literals: &[String]) -> String {
    format!("[{}]", literals.join(", "))
}

fn instant(micros: Micros) -> Bound {
    Bound::Timestamp(TimeUnit::Microsecond, micros)
}

fn bounds(day: Micros) -> [Value; 2] {
    [Value::Timestamp(day), Value::Timestamp(day.saturating_add(DAY))]
}

impl Reader {
    /// The days before `before` of which the database has rows, oldest first.
    pub async fn hot_days(&self, table: &Table, before: Micros, limit: Duration) -> Result<Vec<HotDay>, ReadError> {
        let sql = fill(include_str!("../../queries/archive/hot_days.sql"), table);
        let answer = self.query(sql, vec![Value::Timestamp(before)], limit).await?;
        let days = integers(answer).await?.into_iter().map(|row| match row.as_slice() {
            [start, rows] => Ok(HotDay { start: *start, rows: u64::try_from(*rows).unwrap_or(0) }),
            _ => Err(ReadError::Failed("a day has two numbers".into())),
        });
        days.collect()
    }

    /// The archived days of a table that meet a span, oldest first.
    pub async fn archived_days(
        &self,
        table: &'static Table,
        start: Micros,
        end: Micros,
    ) -> Result<Vec<ArchivedDay>, ReadError> {
        self.look(move |snapshot| snapshot.archived(table, start, end)).await
    }

    /// The rows of a day in both tiers, as they are now, in the order of its file.
    pub async fn day(&self, table: &'static Table, day: Micros, limit: Duration) -> Result<BatchStream, ReadError> {
        let rows = move |snapshot: &Snapshot<'_>| snapshot.rows(table, day, day.saturating_add(DAY));
        self.ask_each(DayParts::new(table, day, rows), limit).await
    }

    /// The rows of an archived day's file that no row of the database replaces, in the order of the file.
    pub async fn kept(
        &self,
        table: &'static Table,
        day: ArchivedDay,
        limit: Duration,
    ) -> Result<BatchStream, ReadError> {
        let start = day.start;
        let rows = move |snapshot: &Snapshot<'_>| {
            let files = snapshot.paths(std::slice::from_ref(&day))?;
            Ok(format!("({})", overlaid(table, &filed(table, &files), &replacing(table, std::iter::once(&day)))))
        };
        self.ask_each(DayParts::new(table, start, rows), limit).await
    }

    /// The archived days that hold rows which rows of the database replace: those of `day`, in which case that day itself is
    /// left out, or all. Only a table whose key is without time can have any.
    pub async fn taken_over(
        &self,
        table: &'static Table,
        day: Option<Micros>,
        limit: Duration,
    ) -> Result<Vec<ArchivedDay>, ReadError> {
        if by_time(table) {
            return Ok(Vec::new());
        }
        let mut archived = self.archived_days(table, Micros::MIN, Micros::MAX).await?;
        archived.retain(|archived| Some(archived.start) != day);
        if archived.is_empty() {
            return Ok(archived);
        }
        let files = archived.clone();
        let hot = day.map_or_else(|| "TRUE".to_owned(), |day| span(day, day.saturating_add(DAY)));
        let question = move |snapshot: &Snapshot<'_>| {
            let sql = fill(include_str!("../../queries/archive/taken_over.sql"), table)
                .replace("{hot}", &hot)
                .replace("{files}", &list(&snapshot.paths(&files)?));
            Ok(vec![Statement::new(sql, Vec::new())])
        };
        let days: Vec<Micros> = integers(self.ask(question, limit).await?).await?.into_iter().flatten().collect();
        archived.retain(|archived| days.contains(&archived.start));
        Ok(archived)
    }
}

/// The rows of an answer whose columns are 64-bit integers.
async fn integers(answer: BatchStream) -> Result<Vec<Vec<i64>>, ReadError> {
    let batches: Vec<_> = answer.try_collect().await?;
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let value = |column: &arrow::array::ArrayRef| {
                let values = column.as_any().downcast_ref::<arrow::array::Int64Array>();
                values.map(|values| values.value(row)).ok_or_else(|| ReadError::Failed("not an integer".into()))
            };
            rows.push(batch.columns().iter().map(value).collect::<Result<_, _>>()?);
        }
    }
    Ok(rows)
}

impl Reader {
    /// How many buckets a level of a table's roll-ups has before an instant.
    pub async fn buckets_before(
        &self,
        table: &'static Table,
        level: Level,
        before: Micros,
        limit: Duration,
    ) -> Result<u64, ReadError> {
        let rolled = self.look(move |snapshot| Ok(snapshot.rolled(table))).await?;
        if !rolled.iter().any(|rolled| rolled.level == level && rolled.from < before) {
            return Ok(0);
        }
        let sql = of_level(include_str!("../../queries/rollup/before.sql"), table, level);
        let rows = integers(self.query(sql, vec![Value::Timestamp(before)], limit).await?).await?;
        Ok(rows.into_iter().flatten().next().and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
    }
}

fn of_level(sql: &str, table: &Table, level: Level) -> String {
    fill(sql, table).replace("{level}", level.name())
}

impl Maintenance {
    /// Drops the buckets of a level of a table's rollups before an instant, but none that wider ones are still to be made of.
    /// Returns how many there were.
    pub async fn drop_buckets(
        &self,
        table: &'static Table,
        level: Level,
        before: Micros,
    ) -> Result<u64, MaintenanceError> {
        self.transact(move |hands| {
            let before = before.min(Reach::read(hands.connection, table)?.last_day());
            hands.bounds.kept_from(table, level, before);
            let dropped = of_level(include_str!("../../queries/rollup/drop.sql"), table, level);
            let dropped = hands.connection.execute(&dropped, [instant(before)])?;
            raise(hands.connection, table, level.name(), before)?;
            Ok(dropped as u64)
        })
        .await
    }

    /// How often rows were stored into a complete day, since the start.
    pub async fn touched(&self, table: &'static Table, day: Micros) -> Result<u64, MaintenanceError> {
        self.run(move |hands| Ok(hands.touched.count(table, day))).await
    }

    /// Hands a day over to its file: the rows of the database go, and the file counts from here on.
    ///
    /// [`MaintenanceError::Overtaken`], and nothing is changed, when rows came in since `touched` was read. Returns how
    /// many rows the database had.
    pub async fn hand_over(&self, table: &'static Table, day: FiledDay, touched: u64) -> Result<u64, MaintenanceError> {
        self.transact(move |hands| {
            let known = find(hands, table, day.start)?;
            if hands.touched.count(table, day.start) != touched {
                return Err(overtaken(table));
            }
            let deleted = delete_day(hands.connection, table, day.start)?;
            // A day that was not archived before is in its file as it was in the database, row by row.
            if known.is_none() && deleted != day.content.checksum.rows() {
                return Err(overtaken(table));
            }
            record(hands, table, &day, false)?;
            Ok(deleted)
        })
        .await
    }

    /// The rows of an archived day's file are fewer now: those that are gone are in the database.
    pub async fn thin_out(&self, table: &'static Table, day: FiledDay) -> Result<(), MaintenanceError> {
        self.transact(move |hands| {
            let late = find(hands, table, day.start)?.ok_or_else(|| overtaken(table))?;
            record(hands, table, &day, late)
        })
        .await
    }

    /// Marks the rollups as stale that rows of these instants and labels are in.
    pub async fn roll_up_again(
        &self,
        table: &'static Table,
        rows: Vec<(Micros, String)>,
    ) -> Result<(), MaintenanceError> {
        self.transact(move |hands| {
            let Some(roller) = hands.roller(table) else { return Ok(()) };
            let mut past = roller.past();
            let before = past.before();
            for (instant, label) in rows.iter().filter(|(instant, _)| *instant < before) {
                past.add(*instant, label);
            }
            Ok(roller.mark(hands.connection, &mut past)?)
        })
        .await
    }

    /// Deletes what the database has of a day, and forgets the day's file. Returns how many rows the database had. Fails with
    /// [`MaintenanceError::Overtaken`] when rows of the day came in since [`touched`](Maintenance::touched) said `touched`,
    /// when rows that came in since [`NewKeys::number`](crate::store::NewKeys::number) said `keys` may replace some of its
    /// file, or when rollups of the day are still to be refreshed: nothing could make them without the rows.
    pub async fn drop_day(
        &self,
        table: &'static Table,
        day: Micros,
        (touched, keys): (u64, u64),
    ) -> Result<u64, MaintenanceError> {
        self.transact(move |hands| {
            if hands.touched.count(table, day) != touched {
                return Err(overtaken(table));
            }
            let filter = include_str!("../../queries/archive/keys_of_day.sql");
            let filter = hands.connection.query_row(filter, params![table.name, instant(day)], |row| row.get(0));
            if let Some(filter) = filter.optional()?.filter(|_| !by_time(table)) {
                let filter: Option<Vec<u8>> = filter;
                if hands.shared.new_keys.may_be_in(&FileKeys::new(filter.as_deref()), table, keys) {
                    return Err(overtaken(table));
                }
            }
            if !marks::waiting(hands.connection, table, FINEST, (day, day.saturating_add(DAY)))?.is_empty() {
                return Err(MaintenanceError::Overtaken(format!("rollups of {} are being refreshed", table.name)));
            }
            let deleted = delete_day(hands.connection, table, day)?;
            forget(hands.connection, table, day)?;
            drop_day(hands.connection, table, day)?;
            Ok(deleted)
        })
        .await
    }

    /// Makes the blocks of deleted rows free for new ones. A checkpoint that has to wait for others is left to them, and
    /// one on a full disk to a later day: the engine does not survive it.
    pub async fn checkpoint(&self) -> Result<(), MaintenanceError> {
        if self.require_space().is_err() {
            return Ok(());
        }
        self.run(|hands| {
            // The same memory as any other checkpoint: one that runs out of it is the end of the engine as well.
            let Ok(_reserve) = hands.shared.memory.take() else { return Ok(()) };
            match hands.connection.execute_batch("CHECKPOINT") {
                Err(error) if error.to_string().contains("Cannot CHECKPOINT") => {
                    tracing::debug!(%error, "the log is worked off later");
                    Ok(())
                }
                done => Ok(done?),
            }
        })
        .await
    }
}

/// Whether an archived day has rows in the database; `None` for a day that is not archived.
fn find(hands: &Hands<'_>, table: &Table, day: Micros) -> Result<Option<bool>, duckdb::Error> {
    let sql = include_str!("../../queries/archive/find.sql");
    hands.connection.query_row(sql, params![table.name, instant(day)], |row| row.get(1)).optional()
}

fn delete_day(connection: &Connection, table: &Table, day: Micros) -> Result<u64, duckdb::Error> {
    let sql = fill(include_str!("../../queries/archive/delete.sql"), table);
    let deleted = connection.execute(&sql, params![instant(day), instant(day.saturating_add(DAY))])?;
    Ok(deleted as u64)
}

fn forget(connection: &Connection, table: &Table, day: Micros) -> Result<(), duckdb::Error> {
    let sql = include_str!("../../queries/archive/forget.sql");
    connection.execute(sql, params![table.name, instant(day)]).map(drop)
}

/// Takes down, in the open transaction, that a day is archived, and whether the database has rows of it as well.
pub(super) fn record(hands: &Hands<'_>, table: &Table, day: &FiledDay, late: bool) -> Result<(), MaintenanceError> {
    hands.bounds.archived_until(table, day.start.saturating_add(DAY));
    forget(hands.connection, table, day.start)?;
    let Content { checksum, bytes, hash, keys } = &day.content;
    let (rows, sum, bytes) = (number(checksum.rows()), checksum.to_string(), number(*bytes));
    let values = params![table.name, instant(day.start), rows, sum, bytes, day.file, late, hash, keys];
    hands.connection.execute(include_str!("../../queries/archive/record.sql"), values)?;
    Ok(())
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn overtaken(table: &Table) -> MaintenanceError {
    MaintenanceError::Overtaken(format!("rows of {} came in meanwhile", table.name))
}

impl Snapshot<'_> {
    /// The rows of a table as a relation for FROM: all that the database has, and the archived days that meet the span
    /// from `from` up to but not including `until`. Just the name of the table where no archived day does.
    pub fn rows(&self, table: &Table, from: Micros, until: Micros) -> Result<String, ReadError> {
        if from >= self.shared.bounds.archive_end(table) {
            return Ok(table.name.to_owned());
        }
        let (relation, lease) = rows_of(self.connection, &self.shared.files, self.limit, table, from, until)?;
        self.leases.borrow_mut().extend(lease);
        Ok(relation)
    }

    /// Makes the files of days readable until the question has been answered, and gives their paths as a literal.
    fn paths(&self, days: &[ArchivedDay]) -> Result<Vec<String>, ReadError> {
        let lease = lease(&self.shared.files, days, self.limit)?;
        let paths = lease.paths().iter().map(|path| quoted(path)).collect();
        self.leases.borrow_mut().push(lease);
        Ok(paths)
    }
}

mod announce;
mod by_key;
mod parts;
pub(super) mod ranges;
mod replaced;
#[cfg(test)]
mod tests;

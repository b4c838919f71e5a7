//! The rows of a day in the order of its file, a part at a time: sorted as one, a day of millions of rows takes all the memory
//! that queries have, and the writer waits for what it needs of that.

use std::collections::VecDeque;

use duckdb::params_from_iter;

use super::bounds;
use crate::batch::ReadError;
use crate::store::job::failed;
use crate::store::snapshot::{Done, Snapshot, Statement, Statements};
use crate::store::text::fill;
use crate::store::value::{Value, bind};
use crate::tables::Table;
use crate::time::{DAY, Micros};

/// Rows that are sorted together: about 50 MB for rows of market data.
const PART_ROWS: u64 = 500_000;
/// The most parts of a day, each of which reads the day. Larger parts are put aside on disk while they are sorted.
const MOST_PARTS: u64 = 64;

/// The statements of a day: one for each part.
pub(in crate::store) struct DayParts<R> {
    table: &'static Table,
    day: Micros,
    /// The rows as a relation, while the parts are not known yet.
    rows: R,
    parts: Option<(String, VecDeque<Part>)>,
}

/// Some labels, or a part of the day of one of them.
struct Part {
    labels: (String, String),
    from: Micros,
    until: Micros,
}

impl<R> DayParts<R>
where
    R: FnMut(&Snapshot<'_>) -> Result<String, ReadError>,
{
    /// The parts of what `rows` names, which has rows of `day` only or is asked only for them.
    pub fn new(table: &'static Table, day: Micros, rows: R) -> Self {
        Self { table, day, rows, parts: None }
    }

    fn parts(&self, snapshot: &Snapshot<'_>, rows: &str, label: &str) -> Result<VecDeque<Part>, ReadError> {
        let fill = |text: &str| fill(text, self.table).replace("{rows}", rows).replace("{label}", label);
        let count = snapshot.connection.query_row(
            &fill(include_str!("../../../queries/archive/rows_of_day.sql")),
            params_from_iter(bounds(self.day).into_iter().map(bind)),
            |row| row.get::<_, i64>(0),
        );
        let count = u64::try_from(count.map_err(failed)?).unwrap_or(0);
        let most = PART_ROWS.max(count / MOST_PARTS);
        let parts = fill(include_str!("../../../queries/archive/parts.sql")).replace("{most}", &most.to_string());
        let mut running = snapshot.connection.prepare(&parts).map_err(failed)?;
        let found = running.query_map(params_from_iter(bounds(self.day).into_iter().map(bind)), |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get::<_, i64>(2)?))
        });
        let found = found.and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
        Ok(found.into_iter().flat_map(|(labels, rows)| self.slices(labels, rows, most)).collect())
    }

    /// A label that has too many rows, in slices of the day; others whole.
    fn slices(&self, labels: (String, String), rows: i64, most: u64) -> impl Iterator<Item = Part> + use<R> {
        let rows = u64::try_from(rows).unwrap_or(0);
        let count = if labels.0 == labels.1 { rows.div_ceil(most.max(1)).clamp(1, MOST_PARTS) } else { 1 };
        let (day, count) = (self.day, i64::try_from(count).unwrap_or(1));
        let at = move |slice: i64| day.saturating_add(DAY / count * slice);
        (0..count).map(move |slice| Part {
            labels: labels.clone(),
            from: at(slice),
            until: if slice + 1 == count { day.saturating_add(DAY) } else { at(slice + 1) },
        })
    }
}

impl<R> Statements for DayParts<R>
where
    R: FnMut(&Snapshot<'_>) -> Result<String, ReadError>,
{
    fn next(&mut self, snapshot: &Snapshot<'_>, done: Option<Done>) -> Result<Option<Statement>, ReadError> {
        let Some(label) = self.table.label else {
            // Such a table has one row for each instant that is measured.
            return match done {
                None => {
                    let day = fill(include_str!("../../../queries/archive/day.sql"), self.table);
                    let sql = day.replace("{rows}", &(self.rows)(snapshot)?);
                    Ok(Some(Statement::new(sql, bounds(self.day).into())))
                }
                Some(_) => Ok(None),
            };
        };
        let (rows, mut parts) = match self.parts.take() {
            Some(known) => known,
            None => {
                let rows = (self.rows)(snapshot)?;
                let parts = self.parts(snapshot, &rows, label)?;
                (rows, parts)
            }
        };
        // Without any row, the columns have to be told all the same.
        let none = || Part { labels: Default::default(), from: self.day, until: self.day };
        let part = parts.pop_front().or_else(|| done.is_none().then(none));
        let statement = part.map(|Part { labels: (first, last), from, until }| {
            let sql = fill(include_str!("../../../queries/archive/part.sql"), self.table);
            let sql = sql.replace("{rows}", &rows).replace("{label}", label);
            let parameters =
                vec![Value::Timestamp(from), Value::Timestamp(until), Value::Text(first), Value::Text(last)];
            Statement::new(sql, parameters)
        });
        self.parts = Some((rows, parts));
        Ok(statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::MARKET_DATA;

    #[test]
    fn a_label_with_too_many_rows_is_cut_without_a_gap() {
        let parts = DayParts::new(&MARKET_DATA, -3 * DAY, |_: &Snapshot<'_>| Ok(String::new()));
        let one = || ("A".to_owned(), "A".to_owned());
        for (rows, count) in [(0, 1), (10, 1), (11, 2), (69, 7), (i64::MAX, 64)] {
            let slices: Vec<_> = parts.slices(one(), rows, 10).collect();
            assert_eq!(slices.len(), count, "{rows}");
            assert_eq!((slices[0].from, slices[count - 1].until), (-3 * DAY, -2 * DAY));
            assert!(slices.windows(2).all(|pair| pair[0].until == pair[1].from));
        }
        assert_eq!(parts.slices(("A".to_owned(), "B".to_owned()), 69, 10).count(), 1);
    }
}

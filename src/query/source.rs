//! What a named query reads: `{rows:table}` and `{buckets:table}` in its text become relations.
//!
//! Rows are wherever they are kept. Buckets come from roll-ups as far as they reach, from rows elsewhere; what follows the
//! name of the table is a condition on the rows and buckets that they are made of.

use crate::batch::ReadError;
use crate::store::rollup_text::{self, Wanted};
use crate::store::{Snapshot, ranges};
use crate::tables::{self, TIME_COLUMN, Table};
use crate::time::{self, Micros};

use super::cover::Segment;

/// All of time, from the first instant that is stored: one bucket for everything. Whole days, so that buckets of every level
/// make it up.
pub const WHOLE: Micros = time::LAST + 1 - time::FIRST;

/// A place in the text of a query where a relation goes.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// `{rows:table}`.
    Rows(&'static Table),
    /// `{buckets:table condition}`.
    Buckets(&'static Table, &'a str),
}

/// Replaces every source in `text` by what `relation` makes of it.
pub fn expand<F>(text: &str, mut relation: F) -> Result<String, ReadError>
where
    F: FnMut(Source<'_>) -> Result<String, ReadError>,
{
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, source, after)) = next(rest) {
        expanded.push_str(before);
        expanded.push_str(&relation(read(source)?)?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The tables whose buckets a text asks for.
pub fn bucketed(text: &str) -> Option<&'static Table> {
    match read(next(text)?.1) {
        Ok(Source::Buckets(table, _)) => Some(table),
        _ => None,
    }
}

fn next(text: &str) -> Option<(&str, &str, &str)> {
    let start = ["{rows:", "{buckets:"].iter().filter_map(|opening| text.find(opening)).min()?;
    let (before, from) = text.split_at(start);
    let (source, after) = from.split_once('}')?;
    Some((before, source.trim_start_matches('{'), after))
}

fn read(source: &str) -> Result<Source<'_>, ReadError> {
    let (kind, what) = source.split_once(':').unwrap_or((source, ""));
    let end = what.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(what.len());
    let (name, condition) = what.split_at(end);
    let table = tables::find(name)
        .ok_or_else(|| ReadError::Invalid(format!("{{{kind}:{name}}} names no table: there is no {name:?}")))?;
    Ok(match kind {
        "rows" => Source::Rows(table),
        _ => Source::Buckets(table, condition),
    })
}

/// The buckets of `width` that a piece is made of, as a relation.
pub fn buckets(
    snapshot: &Snapshot<'_>,
    table: &'static Table,
    piece: &[Segment],
    width: Micros,
    (wanted, condition): (Wanted<'_>, &str),
) -> Result<String, ReadError> {
    let whole = rollup_text::bucket(TIME_COLUMN, width);
    let of_segment = |segment: &Segment, alone: bool| {
        let Segment { level, from, until } = *segment;
        Ok::<_, ReadError>(match level {
            Some(level) => {
                let width = level.width();
                let of_level = |filter: &str| rollup_text::span(table, wanted, level, (from, until), filter);
                let stale = snapshot.stale(table, level, (from, until))?;
                if stale.is_empty() {
                    return Ok(of_level(condition));
                }
                // In their place the same buckets, computed from rows.
                let starts =
                    stale.iter().map(|start| format!("make_timestamp({start})")).collect::<Vec<_>>().join(", ");
                let fresh = of_level(&format!("{condition} AND bucket NOT IN ({starts})"));
                let ranges = ranges(stale, width);
                let (from, until) =
                    ranges.first().zip(ranges.last()).map_or((from, until), |(one, last)| (one.0, last.1));
                let rows = snapshot.rows_in(table, &ranges)?;
                let bucket = rollup_text::bucket(TIME_COLUMN, width);
                let condition = format!("{condition} AND {bucket} IN ({starts})");
                let computed = rollup_text::of_rows(table, wanted, &rows, &bucket, (from, until), &condition);
                format!("({fresh}) UNION ALL ({computed})")
            }
            None => {
                let rows = snapshot.rows(table, from, until)?;
                let bucket = if alone { whole.clone() } else { rollup_text::bucket_from(TIME_COLUMN, width, from) };
                rollup_text::of_rows(table, wanted, &rows, &bucket, (from, until), condition)
            }
        })
    };
    match piece {
        [] => Ok(format!("({})", rollup_text::of_rows(table, wanted, table.name, &whole, (0, 0), condition))),
        [alone] if alone.level.is_none_or(|level| level.width() == width) => {
            Ok(format!("({})", of_segment(alone, true)?))
        }
        several => {
            let parts = several.iter().map(|segment| Ok(format!("({})", of_segment(segment, false)?)));
            let parts = parts.collect::<Result<Vec<_>, ReadError>>()?.join(" UNION ALL ");
            Ok(format!("({})", rollup_text::of_buckets(table, wanted, &format!("({parts})"), width)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LEVELS;

    #[test]
    fn the_whole_is_made_of_whole_buckets_of_every_level() {
        assert!(LEVELS.iter().all(|level| WHOLE % level.width() == 0 && time::FIRST % level.width() == 0));
    }

    #[test]
    fn sources_are_found_with_their_conditions() {
        let mut seen = Vec::new();
        let text = "SELECT 1 FROM {rows:trades} JOIN {buckets:market_data\n AND symbol = $symbol} WHERE a = '{'";
        let expanded = expand(text, |source| {
            seen.push(match source {
                Source::Rows(table) => (table.name, String::new()),
                Source::Buckets(table, condition) => (table.name, condition.to_owned()),
            });
            Ok("x".into())
        });
        assert_eq!(expanded.unwrap(), "SELECT 1 FROM x JOIN x WHERE a = '{'");
        assert_eq!(seen, [("trades", String::new()), ("market_data", "\n AND symbol = $symbol".into())]);
        assert!(expand("FROM {rows:nothing}", |_| Ok(String::new())).is_err());
    }
}

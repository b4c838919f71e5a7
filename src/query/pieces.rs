//! The buckets of a span of history, piece by piece, newest first.
//!
//! The rows of a piece are held while they are put in order, so that a piece has to be short where there are many labels, and
//! may be long where most of the time is empty. How long, the piece before it tells: nothing here takes as many steps as a
//! request has buckets.

use std::sync::Arc;

use super::cover::{Pieces, Segment, buckets_of, cover, prefer_few_rows};
use super::history::{HistoryRequest, values};
use super::source::{self, Source};
use super::{Window, statement};
use crate::batch::ReadError;
use crate::store::rollup_text::Wanted;
use crate::store::{Done, NewestFirst, Snapshot, Statement, Statements};
use crate::tables::{TIME_COLUMN, Table};
use crate::time::Micros;

/// Rows that a piece should have.
pub const PIECE_ROWS: usize = 131_072;
/// Rows after which a piece is given up and read again in shorter ones.
const MOST_ROWS: usize = 2 * PIECE_ROWS;
/// How much longer a piece becomes after one with few rows, and how much shorter after one with too many.
const STEP: i64 = 4;
/// From so many pieces on it is worth a look where anything is stored.
const MANY_PIECES: i64 = 8;
/// No piece is longer than this.
const MOST_BUCKETS: i64 = 1 << 40;

/// What a query asks of one table.
#[derive(Clone)]
pub struct Part {
    /// The named query.
    pub name: &'static str,
    /// Its text.
    pub text: Arc<str>,
    /// The table.
    pub table: &'static Table,
    /// The width of a bucket.
    pub width: Micros,
    /// What is asked for.
    pub request: HistoryRequest,
}

/// The statements of a span: one for each piece.
pub struct SpanStatements {
    part: Part,
    span: Window,
    /// Buckets of the next piece.
    buckets: i64,
    /// `None` before the first look at what is stored.
    pieces: Option<Pieces>,
    /// The piece that is being read.
    current: Vec<Segment>,
}

impl SpanStatements {
    /// Begins with pieces of so many buckets.
    pub fn new(part: Part, span: Window, buckets: i64) -> Self {
        Self { part, span, buckets, pieces: None, current: Vec::new() }
    }

    /// The segments of the span, as far as anything is stored in it.
    fn segments(&self, snapshot: &Snapshot<'_>) -> Result<Vec<Segment>, ReadError> {
        let Part { table, width, .. } = self.part;
        let (mut start, mut until) = (self.span.start, self.span.until());
        if until.saturating_sub(start) / width / self.buckets.max(1) >= MANY_PIECES {
            // Somebody asks for all of time: most of it is empty.
            let (oldest, newest) = snapshot.extent(table)?.unwrap_or((0, -1));
            (start, until) = (start.max(oldest), until.min(newest.saturating_add(1)));
        }
        let rolled = snapshot.rolled(table);
        let mut segments = cover(&rolled, width, start, until);
        prefer_few_rows(&mut segments, width, &rolled, snapshot.rows_per_second(table));
        Ok(segments)
    }

    fn statement(&self, snapshot: &Snapshot<'_>, piece: &[Segment], order: Order) -> Result<Statement, ReadError> {
        let Part { name, text, table, width, request } = &self.part;
        let wanted = Wanted::by(text);
        let mut expanded = source::expand(text, |source| match source {
            Source::Rows(table) => snapshot.rows(table, self.span.start, self.span.until()),
            Source::Buckets(table, condition) => {
                let condition = if request.symbols.is_empty() { "" } else { condition };
                source::buckets(snapshot, table, piece, *width, (wanted, condition))
            }
        })?;
        if order == Order::InEngine {
            let by: Vec<_> =
                std::iter::once(format!("{TIME_COLUMN} DESC")).chain(table.label.map(str::to_owned)).collect();
            let ordered = include_str!("../../queries/history/in_order.sql").replace("{order}", &by.join(", "));
            expanded = ordered.replace("{query}", &expanded);
        }
        let statement = statement(name, &expanded, &values(request, self.span))?;
        Ok(match order {
            Order::Beside => statement.newest_first(NewestFirst { label: table.label, most_rows: MOST_ROWS }),
            Order::InEngine => statement,
        })
    }
}

/// Who puts the rows of a piece in order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// This program, which holds them meanwhile: they are nearly in order.
    Beside,
    /// The engine, which can put them aside on disk: they are of one bucket, and too many.
    InEngine,
}

impl Statements for SpanStatements {
    fn next(&mut self, snapshot: &Snapshot<'_>, done: Option<Done>) -> Result<Option<Statement>, ReadError> {
        let mut pieces = match self.pieces.take() {
            Some(pieces) => pieces,
            None => Pieces::new(self.segments(snapshot)?, self.part.width),
        };
        match done {
            Some(Done::TooManyRows) => {
                let buckets = buckets_of(&self.current, self.part.width);
                if buckets <= 1 {
                    self.pieces = Some(pieces);
                    return self.statement(snapshot, &self.current, Order::InEngine).map(Some);
                }
                pieces.put_back(&self.current);
                self.buckets = (buckets.min(self.buckets) / STEP).max(1);
            }
            Some(Done::Rows(rows)) if rows < PIECE_ROWS / 4 => {
                self.buckets = self.buckets.saturating_mul(STEP).min(MOST_BUCKETS);
            }
            Some(Done::Rows(rows)) if rows > PIECE_ROWS => self.buckets = (self.buckets / 2).max(1),
            _ => {}
        }
        // Without any piece, the columns have to be told all the same.
        let piece = pieces.next(self.buckets).or_else(|| done.is_none().then(Vec::new));
        self.pieces = Some(pieces);
        let Some(piece) = piece else { return Ok(None) };
        let statement = self.statement(snapshot, &piece, Order::Beside)?;
        self.current = piece;
        Ok(Some(statement))
    }
}

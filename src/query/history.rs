//! Metric history: rows of each metric type in time buckets, newest first.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::cover::{Segment, cover, pieces, prefer_few_rows};
use super::source::{self, Source};
use super::{Queries, Window, statement};
use crate::batch::{BatchStream, ReadError};
use crate::store::rollup_text::Wanted;
use crate::store::{NewestFirst, Snapshot, Value};
use crate::tables::Table;
use crate::time::{self, Micros, SECOND};

/// Rows of a piece of an answer, which are held while they are put in order.
const PIECE_ROWS: usize = 131_072;

/// From so many pieces on it is worth a look whether there is anything in them.
const MANY_PIECES: usize = 8;
/// Spans that are asked for at once. Each takes a connection, always after those of the spans before it.
const SPANS_AT_ONCE: usize = 2;

/// A question for history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRequest {
    /// The span, bounds inclusive.
    pub window: Window,
    /// Which metric types answer, in the order of [`MetricType::ALL`] whatever the order here.
    pub metric_types: Vec<MetricType>,
    /// Only these symbols of market data; empty means all.
    pub symbols: Vec<String>,
    /// The bucket. Without it market data comes in five-minute buckets and the other types as raw rows.
    pub interval: Option<Interval>,
}

/// The four kinds of metric rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricType {
    /// Prices, volume and spread by symbol.
    MarketData,
    /// Profit and positions by strategy.
    Strategy,
    /// Orders and their quality.
    Execution,
    /// The machine.
    System,
}

impl MetricType {
    /// All of them, in the order in which an answer lists them.
    pub const ALL: [Self; 4] = [Self::MarketData, Self::Strategy, Self::Execution, Self::System];

    /// The word for it on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MarketData => "market_data",
            Self::Strategy => "strategy",
            Self::Execution => "execution",
            Self::System => "system",
        }
    }

    /// Reads the word of the wire.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|candidate| candidate.as_str() == text)
    }
}

/// The width of a bucket; buckets are aligned to UTC multiples of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// One minute.
    Minute1,
    /// Five minutes.
    Minute5,
    /// A quarter of an hour.
    Minute15,
    /// One hour.
    Hour1,
    /// One day.
    Day1,
}

impl Interval {
    /// What market data uses when the question names none.
    pub const DEFAULT: Self = Self::Minute5;

    /// Reads either spelling: `1m` or `MINUTE_1`, and so on.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "1m" | "MINUTE_1" => Some(Self::Minute1),
            "5m" | "MINUTE_5" => Some(Self::Minute5),
            "15m" | "MINUTE_15" => Some(Self::Minute15),
            "1h" | "HOUR_1" => Some(Self::Hour1),
            "1d" | "DAY_1" => Some(Self::Day1),
            _ => None,
        }
    }

    /// The short spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute1 => "1m",
            Self::Minute5 => "5m",
            Self::Minute15 => "15m",
            Self::Hour1 => "1h",
            Self::Day1 => "1d",
        }
    }

    /// Its width.
    pub fn micros(self) -> Micros {
        let minutes = match self {
            Self::Minute1 => 1,
            Self::Minute5 => 5,
            Self::Minute15 => 15,
            Self::Hour1 => 60,
            Self::Day1 => 1_440,
        };
        minutes * 60 * SECOND
    }
}

impl Queries {
    /// History, one part a metric type, each with columns of its own, `type` first. A part is asked for when the one
    /// before it has ended.
    pub fn history(&self, request: &HistoryRequest) -> BoxStream<'static, Result<BatchStream, ReadError>> {
        let (queries, request) = (self.clone(), request.clone());
        let types = request.types();
        stream::iter(types)
            .then(move |metric_type| {
                let (queries, request) = (queries.clone(), request.clone());
                async move { queries.history_of(metric_type, &request, request.window).await }
            })
            .boxed()
    }

    /// History as one table: the columns of all the metric types asked for, null where a type has no such column.
    pub async fn history_table(&self, request: &HistoryRequest) -> Result<BatchStream, ReadError> {
        let nullable = |field: &Arc<Field>| Arc::new(field.as_ref().clone().with_nullable(true));
        if let [only] = request.types().as_slice() {
            // Its own columns are all there are: nothing has to be known beforehand.
            let answer = self.history_of(*only, request, request.window).await?;
            let schema = Arc::new(Schema::new(answer.schema().fields().iter().map(nullable).collect::<Vec<_>>()));
            let target = schema.clone();
            return Ok(BatchStream::new(schema, answer.map(move |batch| widen(&batch?, &target))));
        }
        let mut fields: Vec<Arc<Field>> = Vec::new();
        let types = if request.types().is_empty() { MetricType::ALL.to_vec() } else { request.types() };
        for metric_type in types {
            // A window that ends before it starts: no rows, but the columns.
            let nothing = Window { start: 0, end: -1 };
            for field in self.history_of(metric_type, request, nothing).await?.schema().fields() {
                if !fields.iter().any(|known| known.name() == field.name()) {
                    fields.push(nullable(field));
                }
            }
        }
        let schema = Arc::new(Schema::new(fields));
        let target = schema.clone();
        let batches = self.history(request).try_flatten().map(move |batch| widen(&batch?, &target));
        Ok(BatchStream::new(schema, batches))
    }

    async fn history_of(
        &self,
        metric_type: MetricType,
        request: &HistoryRequest,
        window: Window,
    ) -> Result<BatchStream, ReadError> {
        let name = match (metric_type, request.interval) {
            (MetricType::MarketData, _) => "history/market_data",
            (MetricType::Strategy, Some(_)) => "history/strategy",
            (MetricType::Strategy, None) => "history/strategy_raw",
            (MetricType::Execution, Some(_)) => "history/execution",
            (MetricType::Execution, None) => "history/execution_raw",
            (MetricType::System, Some(_)) => "history/system",
            (MetricType::System, None) => "history/system_raw",
        };
        let width = request.interval.unwrap_or(Interval::DEFAULT).micros();
        let text = self.find(name)?;
        let Some(table) = source::bucketed(&text) else {
            let values = values(request, window);
            return Ok(typed(metric_type, self.named(name, window, values).await?));
        };
        let part = Part { name, text, table, width, request: request.clone() };
        let labels = if request.symbols.is_empty() { self.reader.labels(table) } else { request.symbols.len() };
        let buckets = i64::try_from(PIECE_ROWS / labels.max(1)).unwrap_or(1).max(1);
        let spans = spans(window, width, self.reader.rolled_until(table), buckets);
        let queries = self.clone();
        let answers = stream::iter(spans).map(move |span| queries.clone().part(part.clone(), span, buckets));
        let mut answers = answers.buffered(SPANS_AT_ONCE).boxed();
        let Some(newest) = answers.next().await else {
            return Err(ReadError::Failed("a window has at least one span".into()));
        };
        let newest = newest?;
        let schema = newest.schema().clone();
        let batches = stream::iter([Ok(newest)]).chain(answers).try_flatten();
        Ok(typed(metric_type, BatchStream::new(schema, batches)))
    }

    /// The buckets of a span, as of one transaction.
    async fn part(self, part: Part, span: Window, buckets: i64) -> Result<BatchStream, ReadError> {
        let limit = self.time_limit;
        let question = move |snapshot: &Snapshot<'_>| {
            let Part { name, text, table, width, request } = part;
            let values = values(&request, span);
            let rolled = snapshot.rolled(table);
            let pieces_of = |from, until| {
                let mut segments = cover(&rolled, width, from, until);
                prefer_few_rows(&mut segments, width, &rolled, snapshot.rows_per_second(table));
                pieces(&segments, width, buckets)
            };
            let mut pieces = pieces_of(span.start, span.until());
            if pieces.len() > MANY_PIECES {
                // Somebody asks for all of time: most of it is empty.
                let (oldest, newest) = snapshot.extent(table)?.unwrap_or((0, -1));
                let (start, until) = (span.start.max(oldest), span.until().min(newest.saturating_add(1)));
                pieces = pieces_of(start, until);
            }
            if pieces.is_empty() {
                pieces.push(Vec::new());
            }
            let wanted = Wanted::by(&text);
            let of_piece = |piece: &Vec<Segment>| {
                let expanded = source::expand(&text, |source| match source {
                    Source::Rows(table) => snapshot.rows(table, span.start, span.until()),
                    Source::Buckets(table, condition) => {
                        let condition = if request.symbols.is_empty() { "" } else { condition };
                        source::buckets(snapshot, table, piece, width, (wanted, condition))
                    }
                })?;
                let order = NewestFirst { label: table.label };
                Ok(statement(name, &expanded, &values)?.newest_first(order))
            };
            pieces.iter().map(of_piece).collect()
        };
        self.reader.ask(question, limit).await
    }
}

/// What a query asks of one table.
#[derive(Clone)]
struct Part {
    name: &'static str,
    text: Arc<str>,
    table: &'static Table,
    width: Micros,
    request: HistoryRequest,
}

fn values(request: &HistoryRequest, window: Window) -> Vec<(&'static str, Value)> {
    let mut values = window.values().to_vec();
    values.push(("symbols", Value::TextList(request.symbols.clone())));
    values
}

/// Spans of a window that are asked for side by side, newest first: what is not rolled up yet, which takes longest to plan;
/// some buckets before it; and the rest. They meet between two buckets, so that each bucket is of one span, and what it says
/// of one moment.
fn spans(window: Window, width: Micros, rolled_until: Micros, buckets: i64) -> Vec<Window> {
    let rolled_until = time::floor(rolled_until, width);
    let some = rolled_until.saturating_sub(width.saturating_mul(buckets));
    let (mut spans, mut until) = (Vec::new(), window.until());
    for start in [rolled_until, some, window.start] {
        let start = start.max(window.start);
        if start < until {
            spans.push(Window { start, end: until - 1 });
            until = start;
        }
    }
    if spans.is_empty() {
        spans.push(window);
    }
    spans
}

/// The same rows with the word for their type before them, which is made once and not for each row.
fn typed(metric_type: MetricType, rows: BatchStream) -> BatchStream {
    let field = Arc::new(Field::new("type", DataType::Utf8, true));
    let fields: Vec<_> = std::iter::once(field).chain(rows.schema().fields().iter().cloned()).collect();
    let schema = Arc::new(Schema::new(fields));
    let (target, mut words) = (schema.clone(), StringArray::from_iter_values::<&str, _>([]));
    let batches = rows.map(move |batch| {
        let batch = batch?;
        if words.len() < batch.num_rows() {
            words = StringArray::from_iter_values(std::iter::repeat_n(metric_type.as_str(), batch.num_rows()));
        }
        let word: ArrayRef = Arc::new(words.slice(0, batch.num_rows()));
        let columns = std::iter::once(word).chain(batch.columns().iter().cloned()).collect();
        RecordBatch::try_new(target.clone(), columns).map_err(|error| ReadError::Failed(error.to_string()))
    });
    BatchStream::new(schema, batches)
}

impl HistoryRequest {
    /// The metric types in the order of the answer.
    fn types(&self) -> Vec<MetricType> {
        MetricType::ALL.into_iter().filter(|metric_type| self.metric_types.contains(metric_type)).collect()
    }
}

/// The same rows with the columns of `schema`, null where the batch has none of that name.
fn widen(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ReadError> {
    let column = |field: &Arc<Field>| -> ArrayRef {
        let found = batch.column_by_name(field.name()).cloned();
        found.unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
    };
    RecordBatch::try_new(schema.clone(), schema.fields().iter().map(column).collect())
        .map_err(|error| ReadError::Failed(error.to_string()))
}

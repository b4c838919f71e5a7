//! Metric history: rows of each metric type in time buckets, newest first.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::pieces::{PIECE_ROWS, Part, SpanStatements};
use super::{Queries, Window, question, source};
use crate::batch::{BatchStream, ReadError};
use crate::store::{ReadTransaction, Value};
use crate::time::{self, Micros, SECOND};

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

/// The transactions of a request, which see one snapshot.
type Transactions = Arc<Vec<ReadTransaction>>;

impl Queries {
    /// History, one part a metric type, each with columns of its own, `type` first. A part is asked for when the one
    /// before it has ended. All of them are of one snapshot.
    pub fn history(&self, request: &HistoryRequest) -> BoxStream<'static, Result<BatchStream, ReadError>> {
        let (queries, request) = (self.clone(), request.clone());
        let parts = async move {
            let transactions = queries.begin_history(&request).await?;
            Ok::<_, ReadError>(queries.history_parts(transactions, request))
        };
        stream::once(parts).try_flatten().boxed()
    }

    /// History as one table: the columns of all the metric types asked for, null where a type has no such column.
    pub async fn history_table(&self, request: &HistoryRequest) -> Result<BatchStream, ReadError> {
        let nullable = |field: &Arc<Field>| Arc::new(field.as_ref().clone().with_nullable(true));
        let transactions = self.begin_history(request).await?;
        if let [only] = request.types().as_slice() {
            // Its own columns are all there are: nothing has to be known beforehand.
            let result = self.history_of(transactions, *only, request, request.window).await?;
            let schema = Arc::new(Schema::new(result.schema().fields().iter().map(nullable).collect::<Vec<_>>()));
            let target = schema.clone();
            return Ok(BatchStream::new(schema, result.map(move |batch| widen(&batch?, &target))));
        }
        let mut fields: Vec<Arc<Field>> = Vec::new();
        let types = if request.types().is_empty() { MetricType::ALL.to_vec() } else { request.types() };
        for metric_type in types {
            // A window that ends before it starts: no rows, but the columns.
            let nothing = Window { start: 0, end: -1 };
            let result = self.history_of(transactions.clone(), metric_type, request, nothing).await?;
            for field in result.schema().fields() {
                if !fields.iter().any(|known| known.name() == field.name()) {
                    fields.push(nullable(field));
                }
            }
        }
        let schema = Arc::new(Schema::new(fields));
        let target = schema.clone();
        let parts = self.clone().history_parts(transactions, request.clone());
        let batches = parts.try_flatten().map(move |batch| widen(&batch?, &target));
        Ok(BatchStream::new(schema, batches))
    }

    /// One connection for a request, or two side by side where a second one is free: two plan a long span in less time.
    async fn begin_history(&self, request: &HistoryRequest) -> Result<Transactions, ReadError> {
        let types = u32::try_from(request.types().len()).unwrap_or(1).max(1);
        Ok(Arc::new(self.reader.begin_pair(self.time_limit.saturating_mul(types)).await?))
    }

    fn history_parts(
        self,
        transactions: Transactions,
        request: HistoryRequest,
    ) -> BoxStream<'static, Result<BatchStream, ReadError>> {
        stream::iter(request.types())
            .then(move |metric_type| {
                let (queries, transactions, request) = (self.clone(), transactions.clone(), request.clone());
                async move { queries.history_of(transactions, metric_type, &request, request.window).await }
            })
            .boxed()
    }

    async fn history_of(
        &self,
        transactions: Transactions,
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
            let rows = question(name, text, window, values(request, window));
            let result = first(&transactions)?.ask_all(rows).await?;
            return Ok(typed(metric_type, kept_open(result, transactions)));
        };
        let stored = self.reader.labels(table);
        let labels = if request.symbols.is_empty() { stored } else { request.symbols.len().min(stored) };
        let buckets = i64::try_from(PIECE_ROWS / labels.max(1)).unwrap_or(1).max(1);
        let part = Part { name, text, table, width, request: request.clone() };
        let spans = spans(window, width, self.reader.rolled_until(table), buckets);
        let spans = spans.into_iter().map(move |span| SpanStatements::new(part.clone(), span, buckets));
        Ok(typed(metric_type, side_by_side(transactions, spans.collect()).await?))
    }
}

/// The results of spans one after the other. As many as there are transactions are computed at a time.
async fn side_by_side(transactions: Transactions, spans: Vec<SpanStatements>) -> Result<BatchStream, ReadError> {
    let at_once = transactions.len().max(1);
    let results = stream::iter(spans.into_iter().enumerate()).map(move |(place, span)| {
        let transactions = transactions.clone();
        async move {
            let transaction = transactions.get(place % at_once).ok_or_else(no_transaction)?;
            let result = transaction.ask(span).await?;
            Ok::<_, ReadError>(kept_open(result, transactions))
        }
    });
    let mut results = results.buffered(at_once).boxed();
    let Some(newest) = results.next().await else {
        return Err(ReadError::Failed("a window has at least one span".into()));
    };
    let newest = newest?;
    let schema = newest.schema().clone();
    Ok(BatchStream::new(schema, stream::iter([Ok(newest)]).chain(results).try_flatten()))
}

/// The same result; the transactions stay open as long as it is read.
fn kept_open(result: BatchStream, transactions: Transactions) -> BatchStream {
    let schema = result.schema().clone();
    BatchStream::new(
        schema,
        result.inspect(move |_| {
            let _open = &transactions;
        }),
    )
}

fn first(transactions: &Transactions) -> Result<&ReadTransaction, ReadError> {
    transactions.first().ok_or_else(no_transaction)
}

fn no_transaction() -> ReadError {
    ReadError::Failed("a request for history has a transaction".into())
}

/// What a query of history is given.
pub(super) fn values(request: &HistoryRequest, window: Window) -> Vec<(&'static str, Value)> {
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

//! Questions: the named ones of `queries/`, and users' own SQL.
//!
//! Every answer is a [`BatchStream`]: nothing is materialised on the way to the socket, and
//! dropping the stream cancels the query.

mod cover;
mod export;
mod history;
mod named;
mod parts;
mod pieces;
mod restore;
mod source;
mod sql;
mod summary;
mod trades;
mod window;

pub use export::Export;
pub use history::{HistoryRequest, Interval, MetricType};
pub use named::{NamedQueries, QueryFileError};
pub use trades::{ExecutionQuality, TradeFilter, TradeStatistics};
pub use window::{TimeRange, Window};

/// The process that runs users' SQL.
pub mod worker {
    pub use super::sql::{Allowance, WORKER_COMMAND as COMMAND, confine, run_worker as run};
}

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;

use crate::batch::{BatchStream, ReadError};
use crate::config::QuerySettings;
use crate::store::rollup_text::Wanted;
use crate::store::{Reader, Snapshot, Statement, Value};
use crate::tables;
use named::NamedQuery;
use source::Source;

/// How long an export may take. It is as long as the client's line makes it, but not for ever: what an export reads is
/// of the moment at which it began, and the database cannot shorten its log while it is kept.
const EXPORT_LIMIT: Duration = Duration::from_secs(6 * 3_600);
/// How long the readiness check may take.
const CHECK_LIMIT: Duration = Duration::from_secs(2);

/// Answers every question that the server takes. Clones share everything.
#[derive(Clone)]
pub struct Queries {
    reader: Reader,
    named: Arc<NamedQueries>,
    time_limit: Duration,
    export_time_limit: Duration,
    sql: Arc<sql::Session>,
}

impl Queries {
    /// Asks `reader`, with the texts of `named`, within `settings`.
    pub fn new(reader: Reader, named: Arc<NamedQueries>, settings: &QuerySettings) -> Self {
        let sql = Arc::new(sql::Session::new(reader.sql(), settings.clone()));
        Self {
            reader,
            named,
            time_limit: settings.time_limit,
            export_time_limit: EXPORT_LIMIT.max(settings.time_limit),
            sql,
        }
    }

    /// Users' own SQL: what runs of it.
    pub fn users_sql(&self) -> &sql::Session {
        &self.sql
    }

    /// Runs users' own SQL, read only. `parameters` is a list for `$1`, an object for `$name`, or null.
    pub async fn sql(&self, sql: &str, parameters: serde_json::Value) -> Result<BatchStream, ReadError> {
        self.sql.query(sql, parameters).await
    }

    /// Reads the files of queries, where there is a directory of them. Unless every one can be planned, all stay as they
    /// were.
    pub async fn reload(&self) -> Result<(), QueryFileError> {
        let Some(queries) = self.named.read()? else { return Ok(()) };
        for (name, text) in &queries {
            let (name, text) = (*name, text.clone());
            let planned = self.reader.reserved().plan(move |snapshot| Ok(sample(&text, snapshot)?.sql)).await;
            planned.map_err(|error| QueryFileError::Unusable { name, error })?;
        }
        self.named.replace(queries);
        Ok(())
    }

    /// When the newest of the files of queries was changed.
    pub fn last_change(&self) -> Option<SystemTime> {
        self.named.last_change()
    }

    /// Whether the database answers at all.
    pub async fn check(&self) -> Result<(), ReadError> {
        let query = self.find("health/check")?;
        let answer = self.reader.reserved().query(query, Vec::new(), CHECK_LIMIT).await?;
        answer.try_collect::<Vec<_>>().await.map(drop)
    }

    /// Runs a query of `queries/` over a window; its sources are what lies in the window.
    async fn named(
        &self,
        name: &'static str,
        window: Window,
        values: Vec<(&'static str, Value)>,
    ) -> Result<BatchStream, ReadError> {
        self.reader.ask(question(name, self.find(name)?, window, values), self.time_limit).await
    }

    /// The answer of a query of `queries/` that has one row.
    async fn row(
        &self,
        name: &'static str,
        window: Window,
        values: Vec<(&'static str, Value)>,
    ) -> Result<RecordBatch, ReadError> {
        let row = first_row(&mut self.named(name, window, values).await?).await?;
        row.ok_or_else(|| ReadError::Failed(format!("queries/{name}.sql gave no row")))
    }

    fn find(&self, name: &str) -> Result<Arc<str>, ReadError> {
        self.named.find(name).ok_or_else(|| ReadError::Failed(format!("queries/{name}.sql is missing")))
    }
}

/// The one statement of a query of `queries/`, once it is known what is stored where.
fn question(
    name: &'static str,
    text: Arc<str>,
    window: Window,
    values: Vec<(&'static str, Value)>,
) -> impl FnOnce(&Snapshot<'_>) -> Result<Vec<Statement>, ReadError> + Send + 'static {
    move |snapshot| {
        let wanted = Wanted::by(&text);
        let expanded = source::expand(&text, |source| match source {
            Source::Rows(table) => snapshot.rows(table, window.start, window.until()),
            Source::Buckets(table, condition) => {
                let rolled = snapshot.rolled(table);
                let mut segments = cover::cover(&rolled, source::WHOLE, window.start, window.until());
                let per_second = snapshot.rows_per_second(table);
                cover::prefer_few_rows(&mut segments, source::WHOLE, &rolled, per_second);
                source::buckets(snapshot, table, &segments, source::WHOLE, (wanted, condition))
            }
        })?;
        Ok(vec![statement(name, &expanded, &values)?])
    }
}

/// A query of `queries/` with its sources filled in and its values bound.
fn statement(name: &str, expanded: &str, values: &[(&'static str, Value)]) -> Result<Statement, ReadError> {
    let query = NamedQuery::parse(expanded);
    let parameters = query.bind(values).map_err(|parameter| {
        ReadError::Failed(format!("queries/{name}.sql has a parameter that nobody gives: ${parameter}"))
    })?;
    Ok(Statement::new(query.sql, parameters))
}

/// A query over no time at all, to see whether it can be planned.
fn sample(text: &str, snapshot: &Snapshot<'_>) -> Result<NamedQuery, ReadError> {
    let wanted = Wanted::by(text);
    let expanded = source::expand(text, |source| match source {
        Source::Rows(table) => snapshot.rows(table, 0, 0),
        Source::Buckets(table, condition) => source::buckets(snapshot, table, &[], source::WHOLE, (wanted, condition)),
    })?;
    Ok(NamedQuery::parse(&expanded))
}

/// The first row of an answer, if it has one.
async fn first_row(answer: &mut BatchStream) -> Result<Option<RecordBatch>, ReadError> {
    while let Some(batch) = answer.try_next().await? {
        if batch.num_rows() > 0 {
            return Ok(Some(batch.slice(0, 1)));
        }
    }
    Ok(None)
}

/// The value of a column of floats or integers in the first row, as a float; 0 when it is null or missing.
fn number(row: &RecordBatch, column: &str) -> f64 {
    let cast = |array: &arrow::array::ArrayRef| arrow::compute::cast(array, &arrow::datatypes::DataType::Float64).ok();
    let values = row.column_by_name(column).and_then(cast);
    let values = values.as_deref().and_then(|array| array.as_any().downcast_ref::<arrow::array::Float64Array>());
    values.and_then(|values| values.iter().next().flatten()).unwrap_or(0.0)
}

/// The value of a column of 64-bit integers in the first row; 0 when it is null or missing.
fn integer(row: &RecordBatch, column: &str) -> i64 {
    let values = tables::column::<arrow::array::Int64Array>(row, column).ok();
    values.and_then(|values| values.iter().next().flatten()).unwrap_or(0)
}

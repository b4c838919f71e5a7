//! Rows of the store, streamed into a plan.

use std::fmt::{self, Formatter};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatchOptions;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{exec_err, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{Stream, StreamExt, TryStreamExt, stream};

use super::floats::ordinary_column;
use super::store_sql::StoreSql;
use super::worker::{Link, ScanRows};
use crate::batch::ReadError;

/// Asks the server for the rows of one statement when it is first polled; dropping its stream cancels the statement.
pub(super) struct StoreScan {
    sql: StoreSql,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl StoreScan {
    /// The columns of the answer must be those of `schema` in number and, as far as they can be cast, in type. When
    /// `schema` has none, only the number of rows counts.
    pub fn new(sql: StoreSql, schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { sql, properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl ExecutionPlan for StoreScan {
    fn name(&self) -> &'static str {
        "StoreScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("a scan of the store has no inputs") }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(link) = context.session_config().get_extension::<Link>() else {
            return internal_err!("a scan without a way to the store");
        };
        let (sql, schema) = (self.sql.clone(), self.schema());
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let batches = stream::once(async move { shaped(link.scan(&sql), schema) });
        let counted = batches.flatten().inspect_ok(move |batch| {
            batch.record_output(&metrics);
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), counted)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

impl DisplayAs for StoreScan {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "StoreScan: {}", self.sql)
    }
}

impl fmt::Debug for StoreScan {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StoreScan").field("sql", &self.sql).finish_non_exhaustive()
    }
}

/// The store's batches with exactly `schema`.
fn shaped(rows: ScanRows, schema: SchemaRef) -> impl Stream<Item = Result<RecordBatch>> + Send {
    stream::try_unfold((rows, schema), |(mut rows, schema)| async {
        let Some(batch) = rows.next().await.map_err(external)? else { return Ok(None) };
        Ok(Some((conformed(&batch, &schema)?, (rows, schema))))
    })
}

fn conformed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if schema.fields().is_empty() {
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        return Ok(RecordBatch::try_new_with_options(schema.clone(), Vec::new(), &rows)?);
    }
    if batch.num_columns() != schema.fields().len() {
        return exec_err!("the store answered {} columns instead of {}", batch.num_columns(), schema.fields().len());
    }
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        let column = ordinary_column(column);
        if column.data_type() == field.data_type() { Ok(column) } else { cast(&column, field.data_type()) }
    });
    Ok(RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)?)
}

fn external(error: ReadError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

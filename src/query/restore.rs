//! Where the desk stood when the server stopped, for collectors that count since midnight.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;

use super::{Queries, Window};
use crate::batch::ReadError;
use crate::tables::{ExecutionMetricsRow, StrategyMetricsRow};

impl Queries {
    /// The newest row of execution metrics, of whatever day.
    pub async fn last_execution(&self) -> Result<Option<ExecutionMetricsRow>, ReadError> {
        let rows = self.rows("restore/execution", ExecutionMetricsRow::rows).await?;
        Ok(rows.into_iter().next())
    }

    /// The newest row of each strategy, of whatever day.
    pub async fn last_strategies(&self) -> Result<Vec<StrategyMetricsRow>, ReadError> {
        self.rows("restore/strategies", StrategyMetricsRow::rows).await
    }

    async fn rows<T>(
        &self,
        name: &'static str,
        read: impl Fn(&RecordBatch) -> Result<Vec<T>, ArrowError>,
    ) -> Result<Vec<T>, ReadError> {
        let batches: Vec<_> = self.named(name, Window::ALL, Vec::new()).await?.try_collect().await?;
        let rows: Result<Vec<Vec<T>>, _> = batches.iter().map(read).collect();
        rows.map(|rows| rows.into_iter().flatten().collect()).map_err(|error| ReadError::Failed(error.to_string()))
    }
}

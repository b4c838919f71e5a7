//! The tables of the store, as DataFusion sees them.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::internal_err;
use datafusion::datasource::{TableType, provider_as_source, source_as_provider};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableSource};
use datafusion::physical_plan::ExecutionPlan;

use super::expressions::ExpressionWriter;
use super::scan::StoreScan;
use super::store_sql::{self, StoreSql, TopRows};
use crate::tables::Table;

/// One of the declared tables. Columns, filters and limits of a query are the store's work, as far as it can do it.
#[derive(Clone)]
pub(super) struct StoredTable {
    /// Its declaration.
    pub table: &'static Table,
    /// Only the first rows in an order.
    pub top: Option<TopRows>,
}

impl StoredTable {
    pub fn new(table: &'static Table) -> Self {
        Self { table, top: None }
    }

    /// The stored table behind a scan, if there is one.
    pub fn behind(source: &Arc<dyn TableSource>) -> Option<Self> {
        source_as_provider(source).ok()?.downcast_ref::<Self>().cloned()
    }

    fn can_filter(&self, filter: &Expr) -> bool {
        // Filters apply before the first rows are taken, so none may join later.
        self.top.is_none() && ExpressionWriter::new(&[self.table]).condition(&unnormalize_col(filter.clone())).is_some()
    }

    /// The same table, of which a scan answers only the first rows.
    pub fn with_top(self, top: TopRows) -> Arc<dyn TableSource> {
        provider_as_source(Arc::new(Self { top: Some(top), ..self }))
    }
}

#[async_trait]
impl TableProvider for StoredTable {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| match self.can_filter(filter) {
                true => TableProviderFilterPushDown::Exact,
                false => TableProviderFilterPushDown::Unsupported,
            })
            .collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = projected(self.schema(), projection)?;
        match store_sql::rows(self.table, &schema, filters, self.top.as_ref(), limit) {
            Some(sql) => Ok(Arc::new(StoreScan::new(sql, schema))),
            None => internal_err!("a filter reached the scan of {} that was not offered to it", self.table.name),
        }
    }
}

impl Debug for StoredTable {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StoredTable").field("table", &self.table.name).field("top", &self.top).finish()
    }
}

/// Groups of a table's rows, computed by the store.
#[derive(Clone)]
pub(super) struct StoredGroups {
    sql: StoreSql,
    schema: SchemaRef,
}

impl StoredGroups {
    /// The answer to `sql`, whose columns have the names and types of `schema`.
    pub fn source(sql: StoreSql, schema: SchemaRef) -> Arc<dyn TableSource> {
        provider_as_source(Arc::new(Self { sql, schema }))
    }
}

#[async_trait]
impl TableProvider for StoredGroups {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = projected(self.schema.clone(), projection)?;
        let sql = store_sql::some_of(&self.sql, projection.map(Vec::as_slice), limit);
        Ok(Arc::new(StoreScan::new(sql, schema)))
    }
}

impl Debug for StoredGroups {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StoredGroups").field("sql", &self.sql).finish()
    }
}

fn projected(schema: SchemaRef, projection: Option<&Vec<usize>>) -> Result<SchemaRef> {
    Ok(match projection {
        Some(columns) => Arc::new(schema.project(columns)?),
        None => schema,
    })
}

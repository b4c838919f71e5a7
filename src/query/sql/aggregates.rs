//! Grouping and aggregation, done by the store.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::Column;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::sources::Sources;
use super::store_sql;
use super::stored_table::StoredGroups;

/// How the names of the store's answers begin in a plan.
const GROUPS: &str = "groups";

/// An aggregation over tables and inner joins of them becomes a question to the store, where it means the same there. A
/// few groups travel instead of all rows.
#[derive(Debug)]
pub(super) struct AggregateInStore;

impl AggregateInStore {
    /// DataFusion takes scans for one that have the same name and columns, wherever their rows come from, so each has a `name`
    /// of its own.
    fn groups(aggregate: &Aggregate, name: &str) -> Result<Option<LogicalPlan>> {
        let expressions = aggregate.group_expr.iter().chain(&aggregate.aggr_expr).cloned().collect();
        let Some((sources, expressions)) = Sources::under(&aggregate.input, expressions)? else { return Ok(None) };
        let (group, aggregates) = expressions.split_at(aggregate.group_expr.len().min(expressions.len()));
        let output: Vec<&Field> = aggregate.schema.fields().iter().map(AsRef::as_ref).collect();
        let Some(sql) = store_sql::groups(&sources, group, aggregates, &output) else { return Ok(None) };
        let column_name = |position| format!("c{position}");
        let fields =
            output.iter().enumerate().map(|(position, field)| (*field).clone().with_name(column_name(position)));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns = aggregate.schema.iter().enumerate().map(|(position, (qualifier, field))| {
            Expr::Column(Column::new(Some(name), column_name(position)))
                .alias_qualified(qualifier.cloned(), field.name())
        });
        let source = StoredGroups::source(sql, schema);
        Ok(Some(LogicalPlanBuilder::scan(name, source, None)?.project(columns)?.build()?))
    }
}

impl OptimizerRule for AggregateInStore {
    fn name(&self) -> &'static str {
        "aggregate_in_store"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let groups = match &plan {
            LogicalPlan::Aggregate(aggregate) => Self::groups(aggregate, &config.alias_generator().next(GROUPS))?,
            _ => None,
        };
        Ok(groups.map_or_else(|| Transformed::no(plan), Transformed::yes))
    }
}

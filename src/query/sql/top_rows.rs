//! The first rows of an order, taken by the store.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr::Sort as SortKey;
use datafusion::logical_expr::expr_rewriter::unnormalize_cols;
use datafusion::logical_expr::{LogicalPlan, Sort};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::sources::Sources;
use super::store_sql::{self, TopRows};
use super::stored_table::StoredTable;

/// `ORDER BY … LIMIT n` over one table: the store sends only the first n rows, not all of them.
///
/// The sort itself stays in the plan. It has n rows to look at, and remains the one that promises the order.
#[derive(Debug)]
pub(super) struct TopRowsInStore;

impl OptimizerRule for TopRowsInStore {
    fn name(&self) -> &'static str {
        "top_rows_in_store"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Sort(Sort { expr, input, fetch: Some(rows) }) = &plan else {
            return Ok(Transformed::no(plan));
        };
        let keys = expr.iter().map(|key| key.expr.clone()).collect();
        let Some((sources, keys)) = Sources::under(input, keys)? else { return Ok(Transformed::no(plan)) };
        let ([table], true) = (sources.tables.as_slice(), only_names(input)) else { return Ok(Transformed::no(plan)) };
        let keys = unnormalize_cols(keys);
        let order = expr.iter().zip(keys).map(|(key, expr)| SortKey::new(expr, key.asc, key.nulls_first)).collect();
        let top = TopRows { order, rows: *rows };
        let conditions = unnormalize_cols(sources.conditions);
        if store_sql::rows(table, &table.schema(), &conditions, Some(&top), None).is_none() {
            return Ok(Transformed::no(plan));
        }
        plan.transform_down(|node| match node {
            LogicalPlan::TableScan(mut scan) => {
                if let Some(stored) = StoredTable::behind(&scan.source) {
                    scan.source = stored.with_top(top.clone());
                }
                Ok(Transformed::new(LogicalPlan::TableScan(scan), true, TreeNodeRecursion::Stop))
            }
            other => Ok(Transformed::no(other)),
        })
    }
}

/// Whether a scan's rows come out of `plan` as they are, none left out.
fn only_names(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::SubqueryAlias(alias) => only_names(&alias.input),
        LogicalPlan::Projection(projection) => only_names(&projection.input),
        _ => false,
    }
}

//! Queries that build on their own rows.
//!
//! DataFusion 54 leaves out the columns of a recursive query that nothing above it reads, though its own next rows may be
//! made of them: `count(*)` over it fails, and `UNION` takes rows for equal that differ in what was left out. It does not
//! do so where a part of the query has a name of its own, so each is given one.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::logical_plan::RecursiveQuery;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

/// What the first rows of a recursive query are called. Nothing can refer to it.
const FIRST_ROWS: &str = "first_rows";

/// Lets every recursive query keep all of its columns.
pub(super) fn keep_columns(plan: LogicalPlan) -> Result<LogicalPlan> {
    let kept = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::RecursiveQuery(recursive) => Ok(Transformed::yes(named(recursive)?)),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(kept.data)
}

fn named(recursive: RecursiveQuery) -> Result<LogicalPlan> {
    let RecursiveQuery { name, static_term, recursive_term, is_distinct, .. } = recursive;
    let first = LogicalPlanBuilder::from(static_term).alias(FIRST_ROWS)?.build()?;
    Ok(LogicalPlan::RecursiveQuery(RecursiveQuery::try_new(name, Arc::new(first), recursive_term, is_distinct)?))
}

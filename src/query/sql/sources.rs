//! Which tables a part of a plan reads, when the store could read them in one statement.

use std::collections::HashMap;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan};

use super::stored_table::StoredTable;
use crate::tables::Table;

/// Tables joined with each other, and the conditions on their rows: those of the scans and those of the joins.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// The tables; in expressions they are called `t0`, `t1`, ….
    pub tables: Vec<&'static Table>,
    /// Conditions, in terms of these names.
    pub conditions: Vec<Expr>,
}

impl Sources {
    /// The tables under `plan`, and `expressions` over its columns in terms of them.
    ///
    /// `None` when anything but scans, inner joins, conditions, names and computed columns lies between.
    pub fn under(plan: &LogicalPlan, expressions: Vec<Expr>) -> Result<Option<(Self, Vec<Expr>)>> {
        let mut sources = Self::default();
        let Some(columns) = sources.add(plan)? else { return Ok(None) };
        let expressions = expressions.into_iter().map(|expr| replaced(expr, &columns)).collect::<Result<_>>()?;
        Ok(Some((sources, expressions)))
    }

    /// Adds what `plan` reads, and says what its columns are made of.
    fn add(&mut self, plan: &LogicalPlan) -> Result<Option<HashMap<Column, Expr>>> {
        match plan {
            LogicalPlan::TableScan(scan) => {
                let stored = StoredTable::behind(&scan.source).filter(|stored| stored.top.is_none());
                let Some(stored) = stored.filter(|_| scan.fetch.is_none()) else { return Ok(None) };
                let alias = alias(self.tables.len());
                self.tables.push(stored.table);
                // Conditions may be on columns that are not selected.
                let all = stored.table.columns.iter().map(|column| {
                    let inner = Expr::Column(Column::new(Some(alias.as_str()), column.name));
                    (Column::new(Some(scan.table_name.clone()), column.name), inner)
                });
                let columns = all.collect();
                self.add_conditions(&scan.filters, &columns)?;
                Ok(Some(columns))
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let Some(inner) = self.add(&alias.input)? else { return Ok(None) };
                let names = alias.schema.columns().into_iter().zip(alias.input.schema().columns());
                Ok(Some(names.filter_map(|(outer, name)| Some((outer, inner.get(&name)?.clone()))).collect()))
            }
            LogicalPlan::Projection(projection) => {
                let Some(inner) = self.add(&projection.input)? else { return Ok(None) };
                let computed = projection.expr.iter().map(|expr| replaced(expr.clone().unalias(), &inner));
                let columns = projection.schema.columns().into_iter().zip(computed);
                columns.map(|(outer, expr)| Ok((outer, expr?))).collect::<Result<_>>().map(Some)
            }
            LogicalPlan::Filter(filter) => {
                let Some(columns) = self.add(&filter.input)? else { return Ok(None) };
                self.add_conditions([&filter.predicate], &columns)?;
                Ok(Some(columns))
            }
            LogicalPlan::Join(join) => {
                let inner = join.join_type == JoinType::Inner && join.null_equality == NullEquality::NullEqualsNothing;
                if !inner {
                    return Ok(None);
                }
                let Some(mut columns) = self.add(&join.left)? else { return Ok(None) };
                let Some(right) = self.add(&join.right)? else { return Ok(None) };
                columns.extend(right);
                let keys = join.on.iter().map(|(left, right)| left.clone().eq(right.clone()));
                let conditions: Vec<Expr> = keys.chain(join.filter.clone()).collect();
                self.add_conditions(&conditions, &columns)?;
                Ok(Some(columns))
            }
            _ => Ok(None),
        }
    }

    fn add_conditions<'a>(
        &mut self,
        conditions: impl IntoIterator<Item = &'a Expr>,
        columns: &HashMap<Column, Expr>,
    ) -> Result<()> {
        for condition in conditions {
            self.conditions.push(replaced(condition.clone(), columns)?);
        }
        Ok(())
    }
}

/// The name of the table at `position`.
pub(super) fn alias(position: usize) -> String {
    format!("t{position}")
}

fn replaced(expr: Expr, columns: &HashMap<Column, Expr>) -> Result<Expr> {
    let replaced = expr.transform(|node| match &node {
        Expr::Column(column) => Ok(match columns.get(column) {
            Some(inner) => Transformed::yes(inner.clone()),
            None => Transformed::no(node),
        }),
        _ => Ok(Transformed::no(node)),
    })?;
    Ok(replaced.data)
}

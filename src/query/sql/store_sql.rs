//! What the store is asked: one SELECT.

use std::fmt::{self, Formatter};

use datafusion::arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::{AggregateFunction, Sort};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::expressions::ExpressionWriter;
use super::sources::{self, Sources};
use crate::batch::ReadError;
use crate::store::{Snapshot, Statement, Value};
use crate::tables::{TIME_COLUMN, Table};
use crate::time::Micros;

/// A statement for the store, with the values of `$1`, `$2`, …
#[derive(Debug, Clone)]
pub(super) struct StoreSql {
    /// The statement, in parts between which the rows of `tables` belong.
    pub(super) parts: Vec<String>,
    /// The tables, in the order of their places.
    pub(super) tables: Vec<&'static Table>,
    /// The instants, both inclusive, outside of which no row counts.
    pub(super) span: (Micros, Micros),
    /// Its values.
    pub(super) values: Vec<Value>,
}

impl StoreSql {
    fn new(writer: ExpressionWriter, tables: &[&'static Table], conditions: &[Expr]) -> Self {
        let parts = writer.text.split(ROWS).map(str::to_owned).collect();
        Self { parts, tables: tables.to_vec(), span: span(conditions), values: writer.values }
    }

    /// The statement over what a snapshot has of the tables, in the database and in the archive.
    pub fn over(&self, snapshot: &Snapshot<'_>) -> Result<Statement, ReadError> {
        let (start, end) = self.span;
        let rows = self
            .tables
            .iter()
            .map(|table| snapshot.rows(table, start, end.saturating_add(1)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Statement::new(self.with(rows.iter().map(String::as_str)), self.values.clone()))
    }

    fn with<'a>(&self, rows: impl Iterator<Item = &'a str>) -> String {
        let rows = rows.chain(std::iter::once(""));
        self.parts.iter().zip(rows).flat_map(|(part, rows)| [part.as_str(), rows]).collect()
    }
}

/// The tables by their names, for whoever reads a plan.
impl fmt::Display for StoreSql {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.with(self.tables.iter().map(|table| table.name)))
    }
}

/// Stands in the text for the rows of a table. Names are declared and values are bound, so that it stands nowhere else.
const ROWS: &str = "\0";

/// The instants that rows must lie between, both inclusive, as far as comparisons with a literal say so.
fn span(conditions: &[Expr]) -> (Micros, Micros) {
    let (mut start, mut end) = (Micros::MIN, Micros::MAX);
    for condition in conditions.iter().flat_map(|condition| split_conjunction(condition)) {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { continue };
        let (column, op, value) = match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _)) => (column, Some(*op), value),
            (Expr::Literal(value, _), Expr::Column(column)) => (column, op.swap(), value),
            _ => continue,
        };
        let ScalarValue::TimestampMicrosecond(Some(instant), None) = value else { continue };
        if column.name != TIME_COLUMN {
            continue;
        }
        match op {
            Some(Operator::Gt | Operator::GtEq) => start = start.max(*instant),
            Some(Operator::Lt | Operator::LtEq) => end = end.min(*instant),
            Some(Operator::Eq) => (start, end) = (start.max(*instant), end.min(*instant)),
            _ => {}
        }
    }
    (start, end)
}

/// The first rows in some order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TopRows {
    /// The order; its expressions name columns without their table.
    pub order: Vec<Sort>,
    /// How many.
    pub rows: usize,
}

/// The rows of `table` that pass all `filters`, `columns` of them; without columns, a row that holds only a constant.
///
/// `None` when the store could mean something else by a filter or by the order.
pub(super) fn rows(
    table: &'static Table,
    columns: &SchemaRef,
    filters: &[Expr],
    top: Option<&TopRows>,
    limit: Option<usize>,
) -> Option<StoreSql> {
    let tables = [table];
    let mut writer = ExpressionWriter::new(&tables);
    writer.push("SELECT ");
    if columns.fields().is_empty() {
        writer.push("TRUE");
    }
    for (position, field) in columns.fields().iter().enumerate() {
        comma(&mut writer, position);
        writer.column(&Column::new_unqualified(field.name()))?;
    }
    writer.push(" FROM ");
    writer.push(ROWS);
    write_conditions(&mut writer, filters)?;
    if let Some(top) = top {
        write_order(&mut writer, " ORDER BY ", &top.order)?;
    }
    let limit = [limit, top.map(|top| top.rows)].into_iter().flatten().min();
    if let Some(rows) = limit {
        writer.push(&format!(" LIMIT {rows}"));
    }
    Some(StoreSql::new(writer, &tables, filters))
}

/// Groups of the rows of `sources`, one column for each group expression and then for each aggregate,
/// named `c0`, `c1`, …, with the types of `output`.
///
/// `None` when the store could mean something else by any of it.
pub(super) fn groups(sources: &Sources, group: &[Expr], aggregates: &[Expr], output: &[&Field]) -> Option<StoreSql> {
    let mut writer = ExpressionWriter::new(&sources.tables);
    writer.push("SELECT ");
    for (position, (expr, field)) in group.iter().chain(aggregates).zip(output).enumerate() {
        comma(&mut writer, position);
        if position < group.len() {
            if writer.comparable(expr)? != *field.data_type() {
                return None;
            }
        } else {
            write_aggregate(&mut writer, expr, field.data_type())?;
        }
        writer.push(&format!(" AS c{position}"));
    }
    for position in 0..sources.tables.len() {
        writer.push(if position == 0 { " FROM " } else { ", " });
        writer.push(&format!("{ROWS} AS {}", sources::alias(position)));
    }
    write_conditions(&mut writer, &sources.conditions)?;
    for position in 1..=group.len() {
        writer.push(if position == 1 { " GROUP BY " } else { ", " });
        writer.push(&position.to_string());
    }
    // With several tables it is not told here which one a condition is about.
    let conditions = if sources.tables.len() == 1 { sources.conditions.as_slice() } else { &[] };
    Some(StoreSql::new(writer, &sources.tables, conditions))
}

/// Some columns of an answer of [`groups`], and at most `limit` of its rows.
pub(super) fn some_of(groups: &StoreSql, columns: Option<&[usize]>, limit: Option<usize>) -> StoreSql {
    let columns = match columns {
        None => "*".to_owned(),
        Some([]) => "TRUE".to_owned(),
        Some(columns) => columns.iter().map(|column| format!("c{column}")).collect::<Vec<_>>().join(", "),
    };
    let limit = limit.map_or_else(String::new, |rows| format!(" LIMIT {rows}"));
    let mut some = groups.clone();
    if let Some(first) = some.parts.first_mut() {
        first.insert_str(0, &format!("SELECT {columns} FROM ("));
    }
    if let Some(last) = some.parts.last_mut() {
        last.push_str(&format!("){limit}"));
    }
    some
}

fn write_conditions(writer: &mut ExpressionWriter, conditions: &[Expr]) -> Option<()> {
    for (position, condition) in conditions.iter().enumerate() {
        writer.push(if position == 0 { " WHERE " } else { " AND " });
        writer.condition(condition)?;
    }
    Some(())
}

fn write_order(writer: &mut ExpressionWriter, before: &str, order: &[Sort]) -> Option<()> {
    for (position, key) in order.iter().enumerate() {
        writer.push(if position == 0 { before } else { ", " });
        writer.comparable(&key.expr)?;
        writer.push(if key.asc { " ASC" } else { " DESC" });
        writer.push(if key.nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
    }
    Some(())
}

/// Writes an aggregate whose result has exactly the type `output`.
fn write_aggregate(writer: &mut ExpressionWriter, expr: &Expr, output: &DataType) -> Option<()> {
    let (AggregateFunction { func, params }, function) = match expr {
        Expr::Alias(alias) => return write_aggregate(writer, &alias.expr, output),
        Expr::AggregateFunction(function) => (function, function.func.name()),
        _ => return None,
    };
    debug_assert_eq!(func.name(), function);
    if params.null_treatment.is_some() || (!params.order_by.is_empty() && !is_ordered(function)) {
        return None;
    }
    let [argument] = params.args.as_slice() else { return None };
    let counts_rows = matches!(argument, Expr::Literal(value, _) if !value.is_null());
    let wraps = function == "sum" && *output == DataType::Int64;
    writer.push(if wraps { WRAPPED.0 } else { "" });
    writer.push(match function {
        "first_value" => "first",
        "last_value" => "last",
        other => other,
    });
    writer.push(if params.distinct { "(DISTINCT " } else { "(" });
    let (input, is_comparable) = if function == "count" && counts_rows && !params.distinct {
        writer.push("*");
        (DataType::Int64, true)
    } else {
        let written = writer.expression(argument)?;
        let is_comparable = written.is_comparable();
        (written.kind, is_comparable)
    };
    if is_ordered(function) {
        if params.order_by.is_empty() {
            return None;
        }
        write_order(writer, " ORDER BY ", &params.order_by)?;
    }
    writer.push(")");
    if let Some(filter) = &params.filter {
        writer.push(" FILTER (WHERE ");
        writer.condition(filter)?;
        writer.push(")");
    }
    writer.push(if wraps { WRAPPED.1 } else { "" });
    if params.distinct && !is_comparable {
        return None;
    }
    // Not the deviations, which fail there on what is not finite, nor the median, which is rounded otherwise.
    let result = match function {
        "count" => DataType::Int64,
        "sum" if matches!(input, DataType::Int64 | DataType::Float64) => input,
        "avg" if input == DataType::Float64 => input,
        "min" | "max" if input != DataType::Boolean => input,
        "first_value" | "last_value" if input != DataType::Boolean && is_comparable => input,
        _ => return None,
    };
    (result == *output).then_some(())
}

/// The sum of 64-bit integers, which the store makes in 128 bits and DataFusion in 64, where it wraps around.
const WRAPPED: (&str, &str) = (
    "CAST((((",
    " % 18446744073709551616) + 27670116110564327424) % 18446744073709551616) - 9223372036854775808 AS BIGINT)",
);

fn is_ordered(function: &str) -> bool {
    matches!(function, "first_value" | "last_value")
}

fn comma(writer: &mut ExpressionWriter, position: usize) {
    if position > 0 {
        writer.push(", ");
    }
}

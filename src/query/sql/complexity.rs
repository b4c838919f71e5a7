//! How complicated a question may be.
//!
//! A plan is made in one go: it cannot be stopped half-way, and some shapes take a planner time and memory that grow
//! with the square of their length, or double with every line. Real questions are far below these bounds.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query, Visit, Visitor};

use super::errors::read_error;
use crate::batch::ReadError;

/// Longest text of a query, in bytes.
const TEXT_BYTES: usize = 64 << 10;
/// Terms within terms: a sum of 300 columns is 300 deep.
const DEPTH: usize = 300;
/// Terms altogether.
const TERMS: usize = 10_000;
/// Tables read. A common table expression counts with all its tables, as often as it is used: ten of them that each use
/// the one before twice read a thousand.
const TABLES: usize = 50;
/// Steps of a plan.
const STEPS: usize = 500;

/// Refuses a text that is too long even to be parsed.
pub(super) fn check_text(sql: &str) -> Result<(), ReadError> {
    if sql.len() <= TEXT_BYTES {
        Ok(())
    } else {
        Err(too_complicated(&format!("it is longer than {TEXT_BYTES} bytes")))
    }
}

/// Refuses a statement that is too complicated to be planned.
pub(super) fn check_statement(statement: &Statement) -> Result<(), ReadError> {
    let statement = match statement {
        Statement::Statement(statement) => statement,
        Statement::Explain(explain) => return check_statement(&explain.statement),
        _ => return Ok(()),
    };
    let mut count = Count::default();
    match Visit::visit(statement.as_ref(), &mut count) {
        ControlFlow::Break(reason) => Err(too_complicated(&reason)),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Refuses a plan that is too large to be optimised.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<(), ReadError> {
    let mut steps = 0;
    let counted = plan.apply_with_subqueries(|_| {
        steps += 1;
        Ok(if steps > STEPS { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    counted.map_err(|error| read_error(&error))?;
    if steps <= STEPS { Ok(()) } else { Err(too_complicated(&format!("its plan has more than {STEPS} steps"))) }
}

#[derive(Default)]
struct Count {
    depth: usize,
    terms: usize,
    /// Tables of the queries that are being visited, the innermost last.
    tables: Vec<usize>,
    /// Where the common table expressions are, and what they are called.
    expressions: HashMap<*const Query, String>,
    /// How many tables each of them reads.
    weights: HashMap<String, usize>,
}

impl Count {
    fn add_tables(&mut self, tables: usize) -> ControlFlow<String> {
        let Some(sum) = self.tables.last_mut() else { return ControlFlow::Continue(()) };
        *sum = sum.saturating_add(tables);
        if *sum > TABLES {
            return ControlFlow::Break(format!("it reads more than {TABLES} tables"));
        }
        ControlFlow::Continue(())
    }
}

impl Visitor for Count {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        self.tables.push(0);
        for expression in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = expression.alias.name.value.to_lowercase();
            self.expressions.insert(std::ptr::from_ref(expression.query.as_ref()), name);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        let tables = self.tables.pop().unwrap_or_default();
        match self.expressions.remove(&std::ptr::from_ref(query)) {
            Some(name) => {
                self.weights.insert(name, tables.max(1));
                ControlFlow::Continue(())
            }
            None => self.add_tables(tables),
        }
    }

    fn pre_visit_relation(&mut self, table: &ObjectName) -> ControlFlow<String> {
        let name = table.to_string().trim_matches('"').to_lowercase();
        self.add_tables(self.weights.get(&name).copied().unwrap_or(1))
    }

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<String> {
        self.depth += 1;
        self.terms += 1;
        if self.depth > DEPTH {
            return ControlFlow::Break(format!("an expression is more than {DEPTH} terms deep"));
        }
        if self.terms > TERMS {
            return ControlFlow::Break(format!("it has more than {TERMS} terms"));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<String> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

fn too_complicated(reason: &str) -> ReadError {
    ReadError::Invalid(format!("the query is too complicated: {reason}; ask in parts, or pass long values as params"))
}

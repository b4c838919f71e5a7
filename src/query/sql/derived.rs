//! Names for queries in FROM that have none.
//!
//! DataFusion 54 takes two steps of a plan for one when they read alike, which happens to queries in FROM that compute
//! the same text from columns of the same name: `SELECT a + a AS a FROM (SELECT a + a AS a FROM ...)` adds once. A name
//! of its own on each of them keeps the steps apart, and changes nothing else: nothing can refer to it.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Ident, TableAlias, TableFactor, VisitMut, VisitorMut};

/// Gives every query in FROM without a name one that no table has.
pub(super) fn name_all(statement: &mut Statement) {
    match statement {
        Statement::Statement(statement) => {
            let _ = VisitMut::visit(statement.as_mut(), &mut Namer::default());
        }
        Statement::Explain(explain) => name_all(&mut explain.statement),
        _ => {}
    }
}

#[derive(Default)]
struct Namer {
    named: usize,
}

impl VisitorMut for Namer {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { alias: alias @ None, .. } = factor {
            self.named += 1;
            let name = Ident::new(format!("derived_{}", self.named));
            *alias = Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None });
        }
        ControlFlow::Continue(())
    }
}

//! Which statements are questions.

use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use super::errors::read_error;
use super::{complexity, derived, recursion};
use crate::batch::ReadError;

/// What to do instead of listing the columns of a recursive query behind its name.
const NAME_IN_SELECT: &str = "In WITH RECURSIVE name the columns in the first SELECT instead of behind the name: \
    WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL ...)";

/// Parses and plans one question; a statement that is none is [`ReadError::Refused`].
pub(super) async fn plan(state: &SessionState, sql: &str) -> Result<LogicalPlan, ReadError> {
    complexity::check_text(sql)?;
    let dialect = state.config_options().sql_parser.dialect;
    let mut statement = state.sql_to_statement(sql, &dialect).map_err(|error| match error {
        DataFusionError::NotImplemented(text) if text.contains("single SQL statement") => {
            ReadError::Refused("one statement at a time, please: remove what follows the semicolon".to_owned())
        }
        other => read_error(&other),
    })?;
    if !is_question(&statement) {
        return Err(refused(&statement));
    }
    complexity::check_statement(&statement)?;
    derived::name_all(&mut statement);
    let lists_columns = is_recursive_with_column_list(&statement);
    let plan = state.statement_to_plan(statement).await.map_err(|error| match read_error(&error) {
        ReadError::Invalid(text) if lists_columns => ReadError::Invalid(format!("{text}. {NAME_IN_SELECT}")),
        other => other,
    })?;
    let plan = recursion::keep_columns(plan).map_err(|error| read_error(&error))?;
    complexity::check_plan(&plan)?;
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&plan).map_err(|error| ReadError::Refused(read_only_message(&error.message())))?;
    Ok(plan)
}

fn is_question(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => matches!(
            statement.as_ref(),
            SqlStatement::Query(_)
                | SqlStatement::ExplainTable { .. }
                | SqlStatement::ShowTables { .. }
                | SqlStatement::ShowColumns { .. }
                | SqlStatement::ShowFunctions { .. }
        ),
        Statement::Explain(explain) => is_question(&explain.statement),
        _ => false,
    }
}

/// DataFusion gives the columns of a recursive query the names of the list only outside of it.
fn is_recursive_with_column_list(statement: &Statement) -> bool {
    let Statement::Statement(statement) = statement else { return false };
    let SqlStatement::Query(query) = statement.as_ref() else { return false };
    let with = query.with.as_ref().filter(|with| with.recursive);
    with.is_some_and(|with| with.cte_tables.iter().any(|table| !table.alias.columns.is_empty()))
}

fn refused(statement: &Statement) -> ReadError {
    let statement = match statement {
        Statement::Explain(explain) => explain.statement.as_ref(),
        other => other,
    };
    let text = statement.to_string();
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default().to_uppercase();
    let name = match (first.as_str(), words.next()) {
        ("CREATE" | "DROP" | "ALTER", Some(second)) => format!("{first} {}", second.to_uppercase()),
        _ => first,
    };
    ReadError::Refused(read_only_message(&format!("{name} is not allowed")))
}

fn read_only_message(what: &str) -> String {
    format!("{what}: SQL is read only here, use SELECT, WITH, EXPLAIN, SHOW TABLES or DESCRIBE")
}

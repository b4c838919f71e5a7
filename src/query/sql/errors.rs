//! What DataFusion's errors mean to the asker.

use std::error::Error;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

use crate::batch::ReadError;

/// What to do about a query that needs more memory than it may take.
pub(super) const LESS: &str = "aggregate earlier, select fewer columns, add a LIMIT or a narrower WHERE, \
    or start the server with a larger --memory-limit";
/// What to do about one that needs more than the machine has.
pub(super) const LESS_THAN_THE_MACHINE_HAS: &str =
    "aggregate earlier, select fewer columns, or add a LIMIT or a narrower WHERE";

/// What libraries say when a value cannot have the memory that it needs, or could not have it on any machine.
const WANT_OF_MEMORY: [&str; 5] =
    ["memory allocation", "capacity overflow", "LayoutError", "failed to create layout", "offset overflow"];

/// Whether the text of an error or a panic says that there was too little memory.
pub(super) fn is_want_of_memory(text: &str) -> bool {
    WANT_OF_MEMORY.iter().any(|sign| text.contains(sign))
}

/// A query that broke down in a library.
pub(super) fn broken_down(text: Option<&str>) -> ReadError {
    let text = text.unwrap_or("it broke down");
    if is_want_of_memory(text) {
        return ReadError::OutOfMemory(LESS.to_owned());
    }
    if text.contains("OS can't spawn") {
        return ReadError::Unavailable(format!(
            "the threads of a query could not be started ({text}): try again later"
        ));
    }
    ReadError::Invalid(format!("the query cannot be run, write it in another way: {text}"))
}

/// A plan that could not be made: almost always the fault of the question.
///
/// An error that the store raised comes back as it was.
pub(super) fn read_error(error: &DataFusionError) -> ReadError {
    if let Some(inner) = store_error(error) {
        return inner;
    }
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => ReadError::OutOfMemory(LESS.to_owned()),
        _ if is_want_of_memory(&message(error)) => ReadError::OutOfMemory(LESS.to_owned()),
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::Configuration(_)
        | DataFusionError::Execution(_)
        | DataFusionError::ArrowError(..) => ReadError::Invalid(message(error)),
        // Errors of the libraries below it, of a regular expression for instance, and what it did not foresee: another
        // query can avoid both.
        _ => ReadError::Invalid(format!("the query cannot be run, write it in another way: {}", message(error))),
    }
}

/// The error as one sentence or two, without the stack trace that DataFusion may append.
fn message(error: &DataFusionError) -> String {
    let text = match error.find_root() {
        // These say what is wrong; the kind of error in front of them would only repeat it.
        DataFusionError::Plan(text) | DataFusionError::Execution(text) => text.clone(),
        DataFusionError::Internal(text) => text.clone(),
        DataFusionError::External(error) => error.to_string(),
        DataFusionError::NotImplemented(text) => format!("not supported: {text}"),
        DataFusionError::SQL(error, _) => match error.as_ref() {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => format!("not valid SQL: {text}"),
            ParserError::RecursionLimitExceeded => "the query is nested too deeply: ask in parts".to_owned(),
        },
        DataFusionError::SchemaError(error, _) => error.to_string(),
        DataFusionError::ArrowError(error, _) => error.to_string(),
        root => root.strip_backtrace(),
    };
    let text = text.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or_default();
    text.replace('\n', " ")
}

/// The store's own error, however deeply DataFusion and Arrow have wrapped it.
fn store_error(error: &DataFusionError) -> Option<ReadError> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<ReadError>() {
            return Some(found.clone());
        }
        next = match (current.downcast_ref::<DataFusionError>(), current.downcast_ref::<ArrowError>()) {
            (Some(DataFusionError::External(inner)), _) => Some(inner.as_ref()),
            (_, Some(ArrowError::ExternalError(inner))) => Some(inner.as_ref()),
            _ => current.source(),
        };
    }
    None
}

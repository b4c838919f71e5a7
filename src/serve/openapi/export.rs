//! Whole rows of the tables.

use utoipa::openapi::schema::{OneOfBuilder, Type};

use super::Draft;
use super::operation::{error, format, operation, query, rows, segment, unknown_format, validation_error};
use super::schema::{list, named, nullable, nullable_time, word};
use crate::tables::TABLES;

const ABOUT: &str = "\
Rows in the columns of the table, oldest first, all of one moment, streamed. No limit of rows holds; a client that \
goes away ends it.";

pub(super) fn describe(draft: Draft) -> Draft {
    let tables = TABLES.map(|table| table.name);
    let row = TABLES.into_iter().fold(OneOfBuilder::new(), |row, table| row.item(named(table.name)));
    let mut labels: Vec<&str> = TABLES.into_iter().filter_map(|table| table.label).collect();
    labels.sort_unstable();
    labels.dedup();
    let operation = operation(Some("export"), "export_rows", "Rows of a table over a span of time")
        .description(Some(ABOUT))
        .parameter(segment("table", "The table.", word("", &tables)))
        .parameter(query("start", "First instant; that of the oldest row when absent.", nullable_time("")))
        .parameter(query("end", "Last instant, inclusive; that of the newest row when absent.", nullable_time("")));
    let operation = labels.into_iter().fold(operation, |operation, label| {
        let of: Vec<_> = TABLES.iter().filter(|table| table.label == Some(label)).map(|table| table.name).collect();
        let about = format!("Only the rows with this {label}; for {}.", of.join(" and "));
        operation.parameter(query(label, &about, nullable("", Type::String)))
    });
    draft.get(
        "/api/export/{table}",
        operation
            .parameter(format())
            .response("200", rows(list("Rows.", row)))
            .response("400", error("The table has no such column to select by."))
            .response("404", error("There is no such table."))
            .response("406", unknown_format())
            .response("422", validation_error())
            .response("429", error("Too many queries run; try again after `Retry-After` seconds.")),
    )
}

//! Pushing rows.

use utoipa::openapi::schema::OneOfBuilder;

use super::Draft;
use super::operation::{answer, bodies, error, operation, segment};
use super::schema::{integer, list, named, object, optional, required, string, word};
use crate::encode::Format;
use crate::tables::TABLES;

const ABOUT: &str = "\
All rows or none: the answer comes when they are committed and synced. A row replaces the one with the same key. \
Bodies may be compressed with gzip or zstd.";

pub(super) fn describe(draft: Draft) -> Draft {
    let tables = TABLES.map(|table| table.name);
    let row = || TABLES.into_iter().fold(OneOfBuilder::new(), |row, table| row.item(named(table.name)));
    let rows = OneOfBuilder::new().item(row()).item(list("Rows.", row()));
    let stored = object(
        "",
        [
            required("table", string("The table.")),
            required("rows", integer("Rows that were stored.")),
            optional(
                "rows_of_dropped_days",
                integer(
                    "How many of them are of days whose rows retention had dropped: history and statistics go on telling what \
                     they told of these days, and do not count them. Only there where there are some.",
                ),
            ),
        ],
    );
    draft.post(
        "/api/ingest/{table}",
        operation(Some("ingest"), "ingest_rows", "Store rows of a table")
            .description(Some(ABOUT))
            .parameter(segment("table", "The table.", word("", &tables)))
            .request_body(Some(bodies(
                "Rows of the table: a JSON object or array, one JSON object a line, an Arrow IPC stream, CSV with a header \
                 line, or Parquet. Columns are matched by name.",
                &Format::ALL,
                rows,
            )))
            .response("200", answer(stored))
            .response("400", error("The body cannot be read."))
            .response("404", error("There is no such table."))
            .response("408", error("The body stopped arriving, or came slowly while others needed its room."))
            .response("413", error("The body, or what it unfolds to, is too large; send it in parts."))
            .response("415", error("The body is in a format that is not taken."))
            .response("422", error("A row does not fit; the message names row, column and reason. Nothing is stored."))
            .response("429", error("The database is behind, or there is no memory now; try again after `Retry-After` seconds."))
            .response("503", error("The server is stopping; try again after `Retry-After` seconds."))
            .response("507", error("The database's disk is full; try again after `Retry-After` seconds.")),
    )
}

//! Users' own SQL.

use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, SchemaType};

use super::Draft;
use super::operation::{any_rows, body, error, format, operation, unknown_format, validation_error};
use super::schema::{list, map, named, object, optional, required, string};

const ABOUT: &str = "\
Read-only SQL over the tables of this document. Statements that change data, settings or files are refused; time, \
memory and rows are limited.";

pub(super) fn describe(draft: Draft) -> Draft {
    let value = || ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some("A JSON scalar."));
    let parameters = OneOfBuilder::new()
        .description(Some("The parameters: in order for `$1`, by name for `$name`."))
        .item(list("In order.", value()))
        .item(map("By name.", value()));
    let question = object(
        "A query.",
        [
            required("sql", string("The text, with `$1`, `$2`, … or `$name` where parameters go.")),
            optional("params", parameters),
        ],
    );
    draft
        .post(
            "/api/sql",
            operation(Some("sql"), "run_sql", "Run a query")
                .description(Some(ABOUT))
                .parameter(format())
                .request_body(Some(body("The query.", named("SqlRequest"))))
                .response("200", any_rows())
                .response("400", error("The query is wrong or not allowed; the message says where."))
                .response("406", unknown_format())
                .response("408", error("The query took too long and was stopped."))
                .response("413", error("The answer is too large, or took too much memory; ask for less."))
                .response("422", validation_error())
                .response("429", error("Too many queries run; try again after `Retry-After` seconds.")),
        )
        .schema("SqlRequest", question)
}

//! Words for what a path takes and answers.

use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::{Content, Required, Response, ResponseBuilder};

use super::Draft;
use super::schema::{Schema, any_object, list, named, word};
use crate::encode::Format;

impl Draft {
    /// Adds `GET path`.
    pub(super) fn get(self, path: &str, operation: OperationBuilder) -> Self {
        self.operation(path, HttpMethod::Get, operation)
    }

    /// Adds `POST path`.
    pub(super) fn post(self, path: &str, operation: OperationBuilder) -> Self {
        self.operation(path, HttpMethod::Post, operation)
    }

    /// Adds a schema that others refer to by name.
    pub(super) fn schema(mut self, name: &str, schema: impl Into<Schema>) -> Self {
        self.components = self.components.schema(name, schema);
        self
    }

    fn operation(mut self, path: &str, method: HttpMethod, operation: OperationBuilder) -> Self {
        self.paths = self.paths.path(path, PathItem::new(method, operation));
        self
    }
}

/// An operation of a topic; paths without a topic are the service's own.
pub(super) fn operation(tag: Option<&str>, id: &str, summary: &str) -> OperationBuilder {
    let operation = OperationBuilder::new().operation_id(Some(id)).summary(Some(summary));
    match tag {
        Some(tag) => operation.tag(tag),
        None => operation,
    }
}

/// An optional query parameter.
pub(super) fn query(name: &str, about: &str, schema: impl Into<Schema>) -> Parameter {
    parameter(ParameterIn::Query, name, about, schema).required(Required::False).build()
}

/// A segment of the path.
pub(super) fn segment(name: &str, about: &str, schema: impl Into<Schema>) -> Parameter {
    parameter(ParameterIn::Path, name, about, schema).required(Required::True).build()
}

/// The `format` parameter of every path that answers with rows.
pub(super) fn format() -> Parameter {
    let names = Format::ALL.map(Format::name);
    let about = "Format of the answer; wins over the `Accept` header. JSON when neither says.";
    query("format", about, word("", &names))
}

/// A JSON body that must be there.
pub(super) fn body(about: &str, schema: impl Into<Schema>) -> RequestBody {
    bodies(about, &[Format::Json], schema)
}

/// A body in one of several formats.
pub(super) fn bodies(about: &str, formats: &[Format], schema: impl Into<Schema>) -> RequestBody {
    let schema = schema.into();
    let empty = RequestBodyBuilder::new().description(Some(about)).required(Some(Required::True));
    let full = formats.iter().fold(empty, |body, format| {
        let schema = if *format == Format::Json { Some(schema.clone()) } else { None };
        body.content(format.content_type(), Content::new(schema))
    });
    full.build()
}

/// A JSON answer.
pub(super) fn answer(schema: impl Into<Schema>) -> Response {
    json("The answer.", schema)
}

/// An answer of rows: JSON of this shape, or the same rows in any other format.
pub(super) fn rows(schema: impl Into<Schema>) -> Response {
    let json = json("The rows, in the format that was asked for.", schema);
    let others = Format::ALL.into_iter().filter(|format| *format != Format::Json);
    others
        .fold(ResponseBuilder::from(json), |response, format| {
            response.content(format.content_type(), Content::new(None::<Schema>))
        })
        .build()
}

/// Rows of which only the columns' owner knows the shape.
pub(super) fn any_rows() -> Response {
    rows(list("", any_object("One row: a member for each column.")))
}

/// An answer that is no JSON, in words.
pub(super) fn text(about: &str) -> Response {
    ResponseBuilder::new().description(about).build()
}

/// An error whose `detail` is one sentence.
pub(super) fn error(about: &str) -> Response {
    json(about, named("Error"))
}

/// The 406 of a path with a [`format`] parameter.
pub(super) fn unknown_format() -> Response {
    error("There is no such format; the message names those there are.")
}

/// The 422 of a request whose parameters or body do not fit.
pub(super) fn validation_error() -> Response {
    json("The request does not fit; one item for each problem.", named("HTTPValidationError"))
}

/// An answer of JSON objects, one a line.
pub(super) fn lines(about: &str, schema: impl Into<Schema>) -> Response {
    ResponseBuilder::new().description(about).content(Format::Ndjson.content_type(), Content::new(Some(schema))).build()
}

fn json(about: &str, schema: impl Into<Schema>) -> Response {
    ResponseBuilder::new().description(about).content(Format::Json.content_type(), Content::new(Some(schema))).build()
}

fn parameter(place: ParameterIn, name: &str, about: &str, schema: impl Into<Schema>) -> ParameterBuilder {
    ParameterBuilder::new().name(name).parameter_in(place).description(Some(about)).schema(Some(schema))
}

//! Words for what a JSON value looks like.

use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{KnownFormat, Ref, RefOr, SchemaFormat};

/// A schema, or a reference to one.
pub(super) type Schema = RefOr<utoipa::openapi::Schema>;

/// A member of an object.
pub(super) struct Field {
    name: &'static str,
    required: bool,
    schema: Schema,
}

/// A member that is always there.
pub(super) fn required(name: &'static str, schema: impl Into<Schema>) -> Field {
    Field { name, required: true, schema: schema.into() }
}

/// A member that may be absent.
pub(super) fn optional(name: &'static str, schema: impl Into<Schema>) -> Field {
    Field { name, required: false, schema: schema.into() }
}

/// An object with these members.
pub(super) fn object(about: &str, fields: impl IntoIterator<Item = Field>) -> ObjectBuilder {
    let empty = ObjectBuilder::new().schema_type(Type::Object).description(described(about));
    fields.into_iter().fold(empty, |object, field| {
        let object = if field.required { object.required(field.name) } else { object };
        object.property(field.name, field.schema)
    })
}

/// An object whose keys are data and whose values all look alike.
pub(super) fn map(about: &str, values: impl Into<Schema>) -> ObjectBuilder {
    object(about, []).additional_properties(Some(AdditionalProperties::RefOr(values.into())))
}

/// An object with any members.
pub(super) fn any_object(about: &str) -> ObjectBuilder {
    object(about, []).additional_properties(Some(AdditionalProperties::FreeForm(true)))
}

/// An array.
pub(super) fn list(about: &str, items: impl Into<Schema>) -> ArrayBuilder {
    ArrayBuilder::new().items(items.into()).description(described(about))
}

/// An array, or null.
pub(super) fn nullable_list(about: &str, items: impl Into<Schema>) -> ArrayBuilder {
    list(about, items).schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
}

/// Text.
pub(super) fn string(about: &str) -> ObjectBuilder {
    scalar(about, Type::String)
}

/// Text that is one of a few words.
pub(super) fn word(about: &str, words: &[&str]) -> ObjectBuilder {
    string(about).enum_values(Some(words.iter().copied()))
}

/// Text that is an instant.
pub(super) fn time(about: &str) -> ObjectBuilder {
    string(about).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

/// A number with a fraction.
pub(super) fn number(about: &str) -> ObjectBuilder {
    scalar(about, Type::Number)
}

/// A whole number.
pub(super) fn integer(about: &str) -> ObjectBuilder {
    scalar(about, Type::Integer)
}

/// True or false.
pub(super) fn boolean(about: &str) -> ObjectBuilder {
    scalar(about, Type::Boolean)
}

/// A scalar that may be null.
pub(super) fn nullable(about: &str, kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([kind, Type::Null])).description(described(about))
}

/// An instant that may be null.
pub(super) fn nullable_time(about: &str) -> ObjectBuilder {
    nullable(about, Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

/// A schema of the document's own, by name.
pub(super) fn named(name: &str) -> Ref {
    Ref::from_schema_name(name)
}

/// A schema of the document's own, or null.
pub(super) fn nullable_named(name: &str) -> AnyOfBuilder {
    AnyOfBuilder::new().item(named(name)).item(ObjectBuilder::new().schema_type(Type::Null))
}

fn scalar(about: &str, kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(kind).description(described(about))
}

fn described(about: &str) -> Option<&str> {
    Some(about).filter(|about| !about.is_empty())
}

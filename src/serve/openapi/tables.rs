//! Rows of the tables, from the tables' own declarations.

use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::schema::Type;

use super::Draft;
use super::schema::{integer, nullable, nullable_time, number, object, optional, required, string, time};
use crate::tables::{Column, ColumnKind, TABLES, Table};

pub(super) fn describe(draft: Draft) -> Draft {
    TABLES.into_iter().fold(draft, |draft, table| draft.schema(table.name, row(table)))
}

fn row(table: &Table) -> ObjectBuilder {
    let about = format!("A row of `{}`. {} Key: {}.", table.name, table.about, table.key.join(", "));
    let fields = table.columns.iter().map(|column| match column.nullable {
        true => optional(column.name, value(column)),
        false => required(column.name, value(column)),
    });
    object(&about, fields)
}

fn value(column: &Column) -> ObjectBuilder {
    let about = format!("{} {}", column.kind.sql(), column.about);
    match (column.kind, column.nullable) {
        (ColumnKind::Timestamp, false) => time(&about),
        (ColumnKind::Timestamp, true) => nullable_time(&about),
        (ColumnKind::Text, false) => string(&about),
        (ColumnKind::Text, true) => nullable(&about, Type::String),
        (ColumnKind::Double, false) => number(&about),
        (ColumnKind::Double, true) => nullable(&about, Type::Number),
        (ColumnKind::BigInt | ColumnKind::Integer, false) => integer(&about),
        (ColumnKind::BigInt | ColumnKind::Integer, true) => nullable(&about, Type::Integer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_described_in_stored_order() {
        let document = serde_json::to_value(super::super::document()).unwrap();
        for table in TABLES {
            let schema = &document["components"]["schemas"][table.name];
            let described: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
            let declared: Vec<_> = table.columns.iter().map(|column| column.name).collect();
            assert_eq!(described, declared);
            for column in table.columns {
                let required = schema["required"].as_array().unwrap().iter().any(|name| name == column.name);
                assert_eq!(required, !column.nullable, "{}.{}", table.name, column.name);
            }
        }
    }
}

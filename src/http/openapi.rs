//! How schemas of the descriptions in OpenAPI are made.

use serde_json::Value;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, Type};

/// A type that stands for a schema, under its own name.
macro_rules! schemas {
    ($($(#[$doc:meta])* $name:ident $(uses $($used:ident),+)? = $schema:expr;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::RefOr::T(utoipa::openapi::Schema::from($schema))
            }
        }

        impl utoipa::ToSchema for $name {
            $(fn schemas(all: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
                use utoipa::PartialSchema as _;
                $(all.push(($used::name().into_owned(), $used::schema()));)+
            })?
        }
    )+};
}

pub(crate) use schemas;

/// Describes a text that is one of these words.
pub(crate) fn words(
    all: impl IntoIterator<Item = impl Into<Value>>,
    default: Option<&str>,
    description: &str,
    example: impl Into<Value>,
) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(all))
        .default(default.map(Value::from))
        .description(Some(description))
        .examples([example])
        .build()
}

/// Reads a schema that is written in JSON.
pub(crate) fn parsed(schema: Value) -> Schema {
    serde_json::from_value(schema).unwrap_or_default() // a test holds what comes out against what went in
}

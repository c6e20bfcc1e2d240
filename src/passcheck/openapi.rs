//! The API's description of the password checker's requests and answers.

use serde_json::Value;
use sview_model::HashKind;
use sview_views::pages;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::schemas::SCHEMAS;
use crate::http::openapi::{parsed, schemas, words};

schemas! {
    /// The first digits of a hash.
    Digits = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9A-Fa-f]{5}$"))
        .description(Some("Five hex digits of either case.")).examples(["5BAA6"]).build();
    /// A request of the password checker.
    LeakedRequest = described(&SCHEMAS[0]);
    /// Its answer.
    LeakedAnswer = described(&SCHEMAS[1]);
    /// A request with days.
    SeenRequest = described(&SCHEMAS[2]);
    /// Its answer.
    SeenAnswer = described(&SCHEMAS[3]);
    /// How passwords are hashed.
    Hashing = words(HashKind::ALL.iter().map(|kind| kind.as_str()), Some(HashKind::Sha1.as_str()), "How passwords are hashed.", HashKind::Sha1.as_str());
}

/// A schema that is also served by itself.
fn described(schema: &pages::Schema) -> Schema {
    let mut body: Value = serde_json::from_str(&schema.text).unwrap_or_default();
    for own in ["$schema", "$id"] {
        body.as_object_mut().map(|body| body.remove(own));
    }
    parsed(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_that_are_written_in_json_lose_nothing() {
        for schema in &*SCHEMAS {
            let mut expected: Value = serde_json::from_str(&schema.text).unwrap();
            for own in ["$schema", "$id"] {
                assert!(expected.as_object_mut().unwrap().remove(own).is_some());
            }
            assert_eq!(serde_json::to_value(described(schema)).unwrap(), expected, "{}", schema.path);
        }
    }
}

//! Requests and answers as JSON Schemas (2020-12), each at an address of its own.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};
use sview_model::Source;
use sview_passcheck::MAX_COUNT;
use sview_views::pages::Schema;

use crate::http::answer::Answer;
use crate::http::openapi::{schemas, words};
use crate::http::problem::{Error, Problem};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// All schemas, in the order of the page.
pub(crate) static SCHEMAS: LazyLock<[Schema; 4]> = LazyLock::new(|| {
    let seen = json!({
        "hash": { "description": "The SHA-1 of the password in UTF-8, hex digits.", "type": "string", "pattern": "^[0-9a-f]{40}$" },
        "count": { "description": "How often the password was seen.", "type": "integer", "minimum": 1, "maximum": MAX_COUNT },
        "sources": {
            "description": "The kinds of services that it was tried at; none where that is not known.",
            "type": "array", "uniqueItems": true,
            "items": { "type": "string", "enum": Source::ALL.iter().map(|source| source.as_str()).collect::<Vec<_>>() },
        },
    });
    let with_days = {
        let mut seen = seen.clone();
        let day = |what: &str| {
            let what = format!("The {what} day on which it was seen, UTC; null where that is not known.");
            json!({ "description": what, "type": ["string", "null"], "format": "date" })
        };
        seen["first_seen"] = day("first");
        seen["last_seen"] = day("last");
        seen
    };
    let response = |status: &str, more: Value| {
        let mut properties = json!({ "msg_type": word("response"), "status": word(status) });
        if let (Some(all), Value::Object(more)) = (properties.as_object_mut(), more) {
            all.extend(more);
        }
        object(properties)
    };
    [
        schema(
            "request",
            "A request",
            object(json!({
                "msg_type": word("request"),
                "hash": {
                    "description": "The first six hex digits of the SHA-1 of the password in UTF-8.",
                    "type": "string", "pattern": "^[a-z0-9]{6}$", "maxLength": 6, "examples": ["5baa61"],
                },
            })),
        ),
        schema(
            "response",
            "An answer",
            json!({ "oneOf": [
                response("SUCCESS", json!({ "data": { "type": "array", "minItems": 1, "items": object(seen) } })),
                response("NO_QUERY", json!({})),
                response("VALIDATION_ERROR", json!({ "error": { "type": "string" } })),
                object(json!({ "API error": { "type": "string" } })),
            ] }),
        ),
        schema(
            "seen-request",
            "A request with days",
            object(json!({
                "prefix": {
                    "description": "The first five hex digits of the SHA-1 of the password in UTF-8.",
                    "type": "string", "pattern": "^[0-9A-Fa-f]{5}$", "maxLength": 5, "examples": ["5baa6"],
                },
            })),
        ),
        schema(
            "seen-response",
            "An answer with days",
            json!({ "oneOf": [
                object(json!({ "passwords": { "type": "array", "items": object(with_days) } })),
                object(json!({ "error": { "type": "string" } })),
                object(json!({ "API error": { "type": "string" } })),
            ] }),
        ),
    ]
});

schemas! {
    /// The files of the password checker's schemas.
    SchemaFile = words(SCHEMAS.iter().map(file_of), None, "The file of a schema.", file_of(&SCHEMAS[0]));
}

fn file_of(schema: &Schema) -> &str {
    schema.path.rsplit('/').next().unwrap_or_default()
}

/// A text that is always the same.
fn word(word: &str) -> Value {
    json!({ "type": "string", "enum": [word] })
}

/// An object that has all of these properties, and no others.
fn object(properties: Value) -> Value {
    let names: Vec<String> = properties.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    json!({ "type": "object", "properties": properties, "required": names, "additionalProperties": false })
}

fn schema(name: &str, title: &'static str, body: Value) -> Schema {
    let path = format!("/passcheck/apiv1/{name}.schema.json");
    let mut schema = json!({ "$schema": DIALECT, "$id": path, "title": title });
    if let (Some(all), Value::Object(body)) = (schema.as_object_mut(), body) {
        all.extend(body);
    }
    Schema { path, title, text: serde_json::to_string_pretty(&schema).unwrap_or_default() } // strings and numbers only
}

/// The JSON Schema of a request or an answer
#[utoipa::path(
    get,
    path = "/passcheck/apiv1/{schema}",
    tag = "Passwords",
    operation_id = "password_schema",
    params(("schema" = SchemaFile, Path, description = "Which one.")),
    responses(
        (status = 200, description = "The schema, in the dialect 2020-12.", content_type = "application/schema+json"),
        (status = 304, description = "It is what If-None-Match names."),
        (status = 404, description = "There is no such schema.", body = Error),
    )
)]
pub(crate) async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match SCHEMAS.iter().find(|schema| schema.path.rsplit('/').next() == Some(&name)) {
        Some(schema) => {
            Answer::new(schema.text.clone(), "application/schema+json", "public, max-age=300").respond(&headers)
        }
        None => Problem::not_found().json(),
    }
}

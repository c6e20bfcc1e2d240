//! The page's request: the same as the API's answer, with the days on which passwords were seen. It is a POST, so that no proxy on the way
//! writes the prefix into its log of addresses.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sview_model::{HashKind, HashPrefix};

use super::Checker;
use super::json::{self, answer};
use super::openapi::{SeenAnswer, SeenRequest};
use crate::http::client::Client;

/// The path of the request.
pub(super) const PATH: &str = "/passcheck/apiv1/seen";

/// The passwords whose hashes begin with five digits, with days
///
/// What the page of the password checker asks for: how often each was seen, at what kinds of services, and when first and last. The
/// answer is padded with spaces, so that its length does not tell whether any is known.
#[utoipa::path(
    post,
    path = "/passcheck/apiv1/seen",
    tag = "Passwords",
    operation_id = "passwords_with_days",
    request_body(content = SeenRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "The passwords; none where none is known.", body = SeenAnswer),
        (status = 400, description = "The request is none; error says what was expected.", body = SeenAnswer),
        (status = 413, description = "The request is too large.", body = SeenAnswer),
        (status = 429, description = "Too much was asked for; Retry-After says when to ask again.", body = SeenAnswer),
        (status = 503, description = "Passwords cannot be checked at the moment.", body = SeenAnswer),
    )
)]
pub(crate) async fn seen(
    State(checker): State<Arc<Checker>>,
    client: Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let began = Instant::now();
    let request = match json::read(&headers, body).await {
        Ok(request) => request,
        Err(error) => return error.into_response(),
    };
    let prefix = request.as_object().filter(|object| object.len() == 1).and_then(|object| object.get("prefix"));
    let Some(prefix) = prefix.and_then(Value::as_str).and_then(|text| text.parse::<HashPrefix>().ok()) else {
        let error = "the request must be {\"prefix\": …}, with 5 hex digits, and nothing else";
        return answer(StatusCode::BAD_REQUEST, &json!({ "error": error }));
    };
    match checker.passwords.limit.charge(client) {
        Ok(charge) => charge.spend(),
        Err(refused) => return json::limited(refused),
    }
    let found = match checker.passwords.of(HashKind::Sha1, prefix).await {
        Ok(found) => found,
        Err(error) => return json::unavailable(&error),
    };
    let day = |time: Option<DateTime<Utc>>| time.map(|time| time.format("%Y-%m-%d").to_string());
    let passwords: Vec<Value> = found
        .iter()
        .map(|found| {
            json!({
                "hash": found.hash.to_hex(HashKind::Sha1), "count": found.count, "sources": found.sources,
                "first_seen": day(found.first_seen), "last_seen": day(found.last_seen),
            })
        })
        .collect();
    json::padded(began, &headers, &json!({ "passwords": passwords })).await
}

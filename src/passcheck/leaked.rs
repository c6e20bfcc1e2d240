//! The API that Sentinel View has had from the beginning: six digits of a hash in, the hashes that begin so out.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use sview_model::{HashKind, HashPrefix};

use super::Checker;
use super::json::{self, answer};
use super::openapi::{LeakedAnswer, LeakedRequest};
use crate::http::client::Client;

/// The other address.
pub(super) const PATH: &str = "/api/leaked";

/// The number of characters of the hash in a request.
const TOLD: usize = 6;

/// The passwords whose hashes begin with six digits
///
/// How often each was seen, and at what kinds of services. Hash the password, tell the first six of its forty digits, and look
/// whether it is in the answer, which is padded with spaces. What is asked for is in no log.
#[utoipa::path(
    post,
    path = "/passcheck/apiv1/",
    tag = "Passwords",
    operation_id = "check_password",
    request_body(content = LeakedRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "SUCCESS with the passwords, or NO_QUERY where none is known.", body = LeakedAnswer),
        (status = 400, description = "The request is none; error says what was expected.", body = LeakedAnswer),
        (status = 413, description = "The request is too large.", body = LeakedAnswer),
        (status = 429, description = "Too much was asked for; Retry-After says when to ask again.", body = LeakedAnswer),
        (status = 503, description = "Passwords cannot be checked at the moment.", body = LeakedAnswer),
    )
)]
pub(crate) async fn check(checker: State<Arc<Checker>>, client: Client, headers: HeaderMap, body: Body) -> Response {
    leaked(checker, client, headers, body).await
}

/// The same as POST /passcheck/apiv1/, at its other address
#[utoipa::path(
    post,
    path = "/api/leaked",
    tag = "Passwords",
    operation_id = "check_leaked_password",
    request_body(content = LeakedRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "The same answer.", body = LeakedAnswer),
        (status = "default", description = "The same refusals.", body = LeakedAnswer),
    )
)]
pub(crate) async fn leaked(
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
    let told = match told(&request) {
        Ok(told) => told,
        Err(error) => {
            let body = json!({ "msg_type": "response", "status": "VALIDATION_ERROR", "error": error });
            return answer(StatusCode::BAD_REQUEST, &body);
        }
    };
    match checker.passwords.limit.charge(client) {
        Ok(charge) => charge.spend(),
        Err(refused) => return json::limited(refused),
    }
    // Letters after f are allowed, and no hash begins with them.
    let found = match told[..HashPrefix::DIGITS].parse::<HashPrefix>() {
        Ok(prefix) => checker.passwords.of(HashKind::Sha1, prefix).await,
        Err(_) => Ok(Vec::new()),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => return json::unavailable(&error),
    };
    let data: Vec<Value> = found
        .iter()
        .map(|found| (found.hash.to_hex(HashKind::Sha1), found))
        .filter(|(hash, _)| hash.starts_with(told))
        .map(|(hash, found)| json!({ "hash": hash, "count": found.count, "sources": found.sources }))
        .collect();
    let body = if data.is_empty() {
        json!({ "msg_type": "response", "status": "NO_QUERY" })
    } else {
        json!({ "msg_type": "response", "status": "SUCCESS", "data": data })
    };
    json::padded(began, &headers, &body).await
}

/// Returns the beginning of the hash in a request, or the request's fault, in words that repeat nothing of it.
fn told(request: &Value) -> Result<&str, &'static str> {
    let object = request.as_object().ok_or("the request must be an object")?;
    if object.keys().any(|key| key != "msg_type" && key != "hash") {
        return Err("the request must hold msg_type and hash, each once, and nothing else");
    }
    if object.get("msg_type").and_then(Value::as_str) != Some("request") {
        return Err("msg_type must be \"request\"");
    }
    let hash = object.get("hash").and_then(Value::as_str).unwrap_or_default();
    let good = hash.len() == TOLD && hash.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if good { Ok(hash) } else { Err("hash must be a text of 6 characters out of a-z and 0-9") }
}

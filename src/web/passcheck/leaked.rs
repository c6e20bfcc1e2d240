//! The API that Sentinel View has had from the beginning: six digits of a hash in, the hashes that begin so out.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use sview_model::{HashKind, HashPrefix};

use super::json::{self, answer};
use crate::web::App;
use crate::web::client::Client;

/// How many characters of the hash a request tells.
const TOLD: usize = 6;

/// Answers a request of the API.
pub(super) async fn leaked(State(app): State<App>, client: Client, headers: HeaderMap, body: Body) -> Response {
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
    match app.passwords.limit.charge(client) {
        Ok(charge) => charge.spend(),
        Err(refused) => return json::limited(refused),
    }
    // Letters after f are allowed, and no hash begins with them.
    let found = match told[..HashPrefix::DIGITS].parse::<HashPrefix>() {
        Ok(prefix) => app.passwords.of(HashKind::Sha1, prefix).await,
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
    answer(StatusCode::OK, &body)
}

/// The beginning of the hash that a request tells, or what is wrong with the request: in words that repeat nothing of it.
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

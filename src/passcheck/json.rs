//! Shared parts of the password checker's addresses that take JSON.

use std::time::Instant;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::lookup::even;
use crate::http::answer::stored;
use crate::http::limit::Refused;
use crate::http::query::Refusal;

/// A request that is none of this API's: it is not JSON, or not to be read at all.
pub(super) struct ApiError(StatusCode, &'static str);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        answer(self.0, &json!({ "API error": self.1 }))
    }
}

/// The largest request, in bytes.
const MOST: usize = 16 * 1024;

/// The part of a larger body that is still read. So its sender is there to hear that it is too large.
const HEARD: usize = 4 << 20;

/// Reads the JSON of a body. Errors do not show its content: it is about a password.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Value, ApiError> {
    let bad = |text| ApiError(StatusCode::BAD_REQUEST, text);
    let body = whole(body).await?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" {
        return Err(bad("the request must be JSON: send it with the header Content-Type: application/json"));
    }
    serde_json::from_slice::<Strict>(&body)
        .map(|Strict(value)| value)
        .map_err(|_| bad("the request is not JSON, or nested too deeply"))
}

/// All of a body, which is kept only as far as it may be long.
async fn whole(body: Body) -> Result<Vec<u8>, ApiError> {
    let (mut kept, mut length) = (Vec::new(), 0);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| ApiError(StatusCode::BAD_REQUEST, "the request could not be read"))?;
        length += piece.len();
        if length <= MOST {
            kept.extend_from_slice(&piece);
        } else if length > HEARD {
            break;
        }
    }
    let large = "the request is too large: it has less than 100 bytes";
    if length > MOST { Err(ApiError(StatusCode::PAYLOAD_TOO_LARGE, large)) } else { Ok(kept) }
}

/// Any JSON in which no object has a key twice: which of the two would count?
struct Strict(Value);

impl<'de> serde::Deserialize<'de> for Strict {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Strict;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
                let mut object = serde_json::Map::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if object.insert(key, value).is_some() {
                        // A key that no request may hold: it is refused as such, and not as invalid JSON.
                        object.insert(TWICE.to_owned(), Value::Null);
                    }
                }
                Ok(Strict(object.into()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
                while seq.next_element::<Value>()?.is_some() {}
                Ok(Strict(Value::Array(Vec::new())))
            }
            fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
                Ok(Strict(Value::Null))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
                Ok(Strict(Value::Null))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
                Ok(Strict(Value::Null))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
                Ok(Strict(Value::Null))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
                Ok(Strict(Value::Null))
            }
            fn visit_unit<E>(self) -> Result<Strict, E> {
                Ok(Strict(Value::Null))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A key that stands for one that came twice.
const TWICE: &str = "a key came twice";

/// The address has parameters that it should not have (400).
pub(super) fn refused(refusal: &Refusal) -> Response {
    answer(StatusCode::BAD_REQUEST, &json!({ "API error": refusal.to_string() }))
}

/// Too much was asked for.
pub(super) fn limited(Refused(after): Refused) -> Response {
    let mut response = ApiError(StatusCode::TOO_MANY_REQUESTS, "too many requests: try again later").into_response();
    let seconds = HeaderValue::from(after.as_millis().div_ceil(1000) as u64);
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}

/// Returns the answer if file or database cannot be read. The reason is for the log.
pub(super) fn unavailable(cause: &dyn std::fmt::Display) -> Response {
    tracing::error!(error = %cause, "could not check a password");
    ApiError(StatusCode::SERVICE_UNAVAILABLE, "passwords cannot be checked at the moment").into_response()
}

/// The answer to any other method than POST.
pub(super) async fn only_post() -> Response {
    let mut response = ApiError(StatusCode::METHOD_NOT_ALLOWED, "this address takes POST only").into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

/// Answers about passwords are a multiple of this many bytes long. An answer with up to a hundred passwords looks like one with none.
const BLOCK: usize = 16 * 1024;

/// Returns JSON about passwords, followed by spaces, in the form of gzip but not compressed, if the client accepts that. So its length does
/// not depend on the result. Its time is set by [`even`].
pub(super) async fn padded(began: Instant, request: &HeaderMap, body: &Value) -> Response {
    let mut body = body.to_string().into_bytes();
    body.resize(body.len().next_multiple_of(BLOCK), b' ');
    even(began).await;
    let head = [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, "application/json")];
    match stored(request, &body) {
        Some(gzip) => {
            (head, [(header::CONTENT_ENCODING, "gzip"), (header::VARY, "accept-encoding")], gzip).into_response()
        }
        // It is not compressed on the way either: the client does not accept that.
        None => (head, [(header::VARY, "accept-encoding")], body).into_response(),
    }
}

/// JSON that nobody keeps.
pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], axum::Json(body)).into_response()
}

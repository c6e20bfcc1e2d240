//! Parts that all servers of this process share.
//!
//! These are the one way to serve, routes that can be listed, limits and headers, and the client of a request. There are also answers to
//! failed requests, the guard against foreign sites, the check of queries, files that pages load, and metrics.

pub(crate) mod answer;
pub(crate) mod asset;
pub(crate) mod bind;
pub(crate) mod client;
pub(crate) mod guard;
pub(crate) mod headers;
pub(crate) mod limit;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod own_pages;
pub(crate) mod problem;
pub(crate) mod query;
pub(crate) mod routes;
pub(crate) mod serve;
mod time;
pub(crate) mod tls;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::Markup;

/// Returns the status if the framework refused to read a request with this one. A body that is too large (413) or of another type (415)
/// keeps its own. All else is the caller's mistake (400).
pub(crate) fn unreadable(status: StatusCode) -> StatusCode {
    let told_apart = [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE].contains(&status);
    if told_apart { status } else { StatusCode::BAD_REQUEST }
}

/// Markup as a response.
pub(crate) fn html(markup: Markup) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], markup.into_string()).into_response()
}

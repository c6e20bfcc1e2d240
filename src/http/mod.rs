//! What the public server and the operators' one have in common: routes that can be listed, limits and headers, the guard against
//! foreign sites, files that pages load, what is measured of requests.

pub(crate) mod asset;
pub(crate) mod guard;
pub(crate) mod headers;
pub(crate) mod host;
pub(crate) mod metrics;
pub(crate) mod routes;
mod time;
pub(crate) mod tls;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use maud::Markup;

/// Markup as a response.
pub(crate) fn html(markup: Markup) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], markup.into_string()).into_response()
}

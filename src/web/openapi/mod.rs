//! The description of the API in OpenAPI 3.1, made from the handlers' own declarations and from the catalogue, and the page
//! that shows it.

mod page;
mod schemas;

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::response::Response;
use sview_model::Period;
use utoipa::OpenApi;

pub(super) use self::page::show;
pub(super) use self::schemas::{Answer, Data, Digits, Error, Form, Hashing, PeriodName, ResourceName};
use super::{answer, api, devices, export, health, passcheck};

/// Everything that programs may use.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sentinel View",
        description = "What honeypots and firewalls reported, as numbers. All times are UTC; a window is half-open and named by its end. \
            Answers come from a cache: what nobody has asked for yet is computed in the background, so ask again after a few seconds."
    ),
    paths(
        api::resource,
        export::file,
        devices::confirm,
        devices::add,
        devices::delete,
        passcheck::range::range,
        document,
        health::alive,
        health::ready,
    ),
    components(schemas(ResourceName, PeriodName, Form, Digits, Hashing))
)]
struct Description;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| Description::openapi().to_json().unwrap_or_default()); // strings only

/// This description
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    responses((status = 200, description = "The description in OpenAPI 3.1.", content_type = "application/json"))
)]
pub(super) async fn document(headers: HeaderMap) -> Response {
    let kept = format!("public, max-age={}", Period::Day.scale().browser_ttl.as_secs());
    answer::Answer::new(DOCUMENT.clone(), "application/json", &kept).respond(&headers)
}

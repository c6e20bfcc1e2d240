//! The description of the operators' API in OpenAPI 3.1. It is no part of the public one.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as OpenApiDocument;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};

use super::problem::EVENTS;
use super::{act, api, metrics, status};
use crate::http::query::{self, Accepted};

/// Everything that an operator's programs may use.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sentinel View, for operators",
        description = "Jobs, workers and schedule, and their administration. Times are RFC 3339 in UTC. Where tokens are set, one must be \
            shown as `Authorization: Bearer`; the read-only one lets look."
    ),
    paths(
        status::json,
        api::list,
        api::one,
        api::counts,
        api::workers,
        api::dead,
        api::schedule,
        api::actions,
        act::json,
        document,
        metrics::scrape,
    )
)]
struct Description;

static DESCRIPTION: LazyLock<OpenApiDocument> = LazyLock::new(|| {
    let mut description = Description::openapi();
    query::describe(&mut description, "Error");
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    description.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(token));
    description.security = Some(vec![SecurityRequirement::new("token", [""; 0]), SecurityRequirement::default()]);
    description
});

/// The parameters that each address for programs accepts in its query. The stream of events is for open pages, so no description has it.
pub(super) static ACCEPTED: LazyLock<Accepted> =
    LazyLock::new(|| Accepted::of(&DESCRIPTION).without_parameters(EVENTS));

static DOCUMENT: LazyLock<String> = LazyLock::new(|| DESCRIPTION.to_json().unwrap_or_default()); // strings only

/// This description
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    responses((status = 200, description = "The description in OpenAPI 3.1.", content_type = "application/json"))
)]
pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use super::super::programs;
    use super::{ACCEPTED, DOCUMENT};
    use crate::http::routes::assert_described;

    #[test]
    fn it_tells_of_every_address_for_programs_and_of_no_other() {
        assert_described(&programs(), &DOCUMENT);
    }

    #[test]
    fn it_is_known_what_every_address_for_programs_accepts() {
        for (method, path) in programs().listed() {
            assert!(ACCEPTED.knows(method, path), "{method} {path}");
        }
    }
}

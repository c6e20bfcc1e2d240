//! The description of the API in OpenAPI 3.1, made from the handlers' own declarations and from the catalogue, and the page
//! that shows it.

mod page;

use std::sync::LazyLock;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use sview_model::Period;
use utoipa::OpenApi;

pub(super) use self::page::show;
use super::query::ResourceQuery;
use super::schemas::{DayFile, Form, GreylistFile, PeriodName, ResourceName, Year};
use super::{App, api, devices, export, fragment, greylist, health};
use crate::http::answer;
use crate::http::query::{self, Accepted};
use crate::passcheck::openapi::{Digits, Hashing};
use crate::passcheck::schemas::SchemaFile;
use crate::{live, passcheck};

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
        greylist::latest,
        greylist::archive,
        passcheck::range::range,
        passcheck::leaked::check,
        passcheck::leaked::leaked,
        passcheck::seen::seen,
        passcheck::schemas::serve,
        live::page::state,
        live::socket::open,
        document,
        health::alive,
        health::ready,
    ),
    components(schemas(
        ResourceName, PeriodName, Form, Digits, Hashing, GreylistFile, Year, DayFile, SchemaFile, live::messages::LiveMessage<'_>
    ))
)]
struct Description;

/// Returns the description. It contains the live feed only if there is one.
fn description(live: bool) -> utoipa::openapi::OpenApi {
    let mut description = Description::openapi();
    query::describe(&mut description, "Error");
    if !live {
        let feed = live::programs::<App>();
        description.paths.paths.retain(|path, _| feed.listed().iter().all(|(_, route)| route != path));
    }
    description
}

/// The parameters that every address for programs accepts in its query, and the parts of pages too.
pub(super) static ACCEPTED: LazyLock<Accepted> =
    LazyLock::new(|| Accepted::of(&description(true)).with::<ResourceQuery>(fragment::PATH));

/// The description as text, without a live feed and with one.
static DOCUMENTS: LazyLock<[String; 2]> =
    LazyLock::new(|| [false, true].map(|live| description(live).to_json().unwrap_or_default())); // strings only

/// The same as answers, tagged and compressed once.
static ANSWERS: LazyLock<[answer::Answer; 2]> = LazyLock::new(|| {
    let kept = format!("public, max-age={}", Period::Day.scale().browser_ttl.as_secs());
    [0, 1].map(|live| answer::Answer::new(DOCUMENTS[live].as_str(), "application/json", &kept))
});

/// This description
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    tag = "This server",
    responses(
        (status = 200, description = "The description in OpenAPI 3.1.", content_type = "application/json"),
        (status = 304, description = "It is what If-None-Match names."),
    )
)]
pub(super) async fn document(State(app): State<App>, headers: HeaderMap) -> Response {
    ANSWERS[usize::from(app.parts.live.is_some())].respond(&headers)
}

#[cfg(test)]
mod tests {
    use super::super::{parts, people, programs};
    use super::*;
    use crate::http::routes::assert_described;

    #[test]
    fn it_tells_of_every_address_for_programs_and_of_no_other() {
        assert_described(&programs(), &DOCUMENTS[1]);
    }

    #[test]
    fn it_is_known_what_every_address_for_programs_accepts() {
        for (method, path) in programs().merge(parts()).listed() {
            assert!(ACCEPTED.knows(method, path), "{method} {path}");
        }
    }

    #[test]
    fn no_address_for_people_is_one_for_programs() {
        for (method, path) in people().listed() {
            // Everything that changes state must be open to programs too.
            assert_eq!(*method, "get", "{path}");
            assert!(!path.starts_with("/api/") || path == sview_views::pages::API, "{path}");
            assert!(!path.contains(".json"), "{path}");
        }
    }
}

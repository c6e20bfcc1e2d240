//! The password checker: has this password been used against honeypots? Who asks tells the first digits of its hash and nothing
//! more, and finds the rest in the answer; so what is asked for is in no log, metric or trace, and no answer can take another time
//! for a password that was seen than for one that was not.

mod json;
mod leaked;
mod lookup;
mod page;
pub(super) mod range;
mod schemas;
mod seen;

use axum::Router;
use axum::routing::{get, post};
use sview_views::pages::{PASSCHECK, PASSCHECK_API, PASSCHECK_DOC};

pub(super) use self::lookup::Passwords;
use super::App;

/// The addresses of the password checker.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route(PASSCHECK, get(page::show))
        .route(PASSCHECK_DOC, get(page::doc))
        .route(PASSCHECK_API, post(leaked::leaked).fallback(json::only_post))
        .route("/api/leaked", post(leaked::leaked).fallback(json::only_post))
        .route(seen::PATH, post(seen::seen).fallback(json::only_post))
        .route("/passcheck/apiv1/{schema}", get(schemas::serve))
        .route("/range/{prefix}", get(range::range).options(range::preflight))
}

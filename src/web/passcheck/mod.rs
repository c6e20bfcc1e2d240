//! The password checker: has this password been used against honeypots? Who asks tells the first digits of its hash and nothing
//! more, and finds the rest in the answer; so what is asked for is in no log, metric or trace, and no answer can take another time
//! for a password that was seen than for one that was not.

mod json;
pub(super) mod leaked;
mod lookup;
mod page;
pub(super) mod range;
pub(super) mod schemas;
pub(super) mod seen;

use sview_views::pages::{PASSCHECK, PASSCHECK_API, PASSCHECK_DOC};

pub(super) use self::json::refused;
pub(super) use self::lookup::Passwords;
use self::range::RANGE;
use super::App;
use crate::http::routes::Routes;

/// The pages of the password checker.
pub(super) fn people() -> Routes<App> {
    Routes::new().get(PASSCHECK, page::show).get(PASSCHECK_DOC, page::doc)
}

/// Its addresses for programs.
pub(super) fn programs() -> Routes<App> {
    let range = format!("{RANGE}{{prefix}}");
    let routes = Routes::new().get(&range, range::range).preflight(&range, range::preflight);
    let routes =
        routes.post(PASSCHECK_API, leaked::check).post(leaked::PATH, leaked::leaked).post(seen::PATH, seen::seen);
    let only_post = [PASSCHECK_API, leaked::PATH, seen::PATH];
    let routes = only_post.into_iter().fold(routes, |routes, path| routes.otherwise(path, json::only_post));
    routes.get("/passcheck/apiv1/{schema}", schemas::serve)
}

//! The password checker: has this password been used against honeypots? A client sends only the first digits of its hash, and finds the
//! rest in the answer. The request is in no log, metric or trace. No answer takes another time for a password that was seen than for one
//! that was not.

mod json;
pub(crate) mod leaked;
mod lookup;
pub(crate) mod openapi;
mod page;
pub(crate) mod range;
pub(crate) mod schemas;
pub(crate) mod seen;

use std::sync::Arc;

use axum::extract::FromRef;
use axum::http::Method;
use axum::response::Response;
use sview_model::{Clock, Period};
use sview_views::pages::{PASSCHECK, PASSCHECK_API, PASSCHECK_DOC};
use sview_views::{PageContext, Site};

use self::lookup::Passwords;
use self::range::RANGE;
use crate::Services;
use crate::config::{LimitSettings, TrustedProxies};
use crate::http::own_pages::OwnPages;
use crate::http::query::Refusal;
use crate::http::routes::Routes;

/// The state that the handlers need.
pub(crate) struct Checker {
    passwords: Passwords,
    site: Arc<Site>,
    own_pages: Arc<OwnPages>,
    clock: Clock,
}

impl Checker {
    /// The password checker of a site, over open services.
    pub(crate) fn new(
        services: &Services,
        limit: &LimitSettings,
        site: &Arc<Site>,
        own_pages: &Arc<OwnPages>,
    ) -> Arc<Self> {
        Arc::new(Self {
            passwords: Passwords::new(services, limit),
            site: Arc::clone(site),
            own_pages: Arc::clone(own_pages),
            clock: services.jobs.clock,
        })
    }

    fn context(&self, period: Period) -> PageContext<'_> {
        PageContext { site: &self.site, period, now: self.clock.now() }
    }
}

/// The pages of the password checker.
pub(crate) fn people<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Arc<Checker>: FromRef<S>,
{
    Routes::new().get(PASSCHECK, page::show).get(PASSCHECK_DOC, page::doc)
}

/// The addresses that take a POST and nothing else.
const ONLY_POST: [&str; 3] = [PASSCHECK_API, leaked::PATH, seen::PATH];

/// Its addresses for programs.
pub(crate) fn programs<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Arc<Checker>: FromRef<S>,
    Arc<TrustedProxies>: FromRef<S>,
{
    let range = format!("{RANGE}{{prefix}}");
    let routes = Routes::new().get(&range, range::range).preflight(&range, range::preflight);
    let routes =
        routes.post(PASSCHECK_API, leaked::check).post(leaked::PATH, leaked::leaked).post(seen::PATH, seen::seen);
    let routes = ONLY_POST.into_iter().fold(routes, |routes, path| routes.otherwise(path, json::only_post));
    routes.get("/passcheck/apiv1/{schema}", schemas::serve)
}

/// Refuses parameters in the form in which the password checker answers at this path; `None` where that is the API's usual form.
pub(crate) fn refused(method: &Method, path: &str, refusal: &Refusal) -> Option<Response> {
    if path.starts_with(RANGE) {
        return Some(range::refused(refusal));
    }
    (method == Method::POST && ONLY_POST.contains(&path)).then(|| json::refused(refusal))
}

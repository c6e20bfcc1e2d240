//! The HTTP server: pages, the API, and their files. It serves cached values and enqueues missing ones. It never waits for a query over
//! reports.

mod api;
mod card_loader;
mod crawlers;
mod details;
mod devices;
mod download;
mod export;
mod fragment;
mod greylist;
mod health;
mod openapi;
mod own;
mod query;
mod response_cache;
mod schemas;
mod session;
mod stale_cache;
mod statistics;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, Request, State};
use axum::http::Uri;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::cookie::Key;
use sview_model::Period;
use sview_views::pages::{ABOUT, API, DEVICES, DYNFW, GLOSSARY, GREYLIST, LOOKUP, OPENAPI, PAGES, PASSCHECK, PRIVACY};
use sview_views::{LiveFeed, PageContext, Site};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::card_loader::CardLoader;
use self::crawlers::Security;
use self::response_cache::ResponseCache;
use crate::Services;
use crate::config::{ConnectionSettings, Secret, SiteSettings, TrustedProxies, WebSettings};
use crate::http::limit::Limit;
use crate::http::metrics::Server;
use crate::http::own_pages::OwnPages;
use crate::http::problem::{Negotiated, Problem};
use crate::http::routes::Routes;
use crate::http::serve::Bounds;
use crate::http::{self, asset, headers, html, query as http_query};
use crate::live::{self, Desk, Live};
use crate::passcheck::{self, Checker};

/// The state that every handler needs. It is cloned for every request, so it is one pointer.
#[derive(Clone)]
pub struct App {
    parts: Arc<Parts>,
}

/// The parts of an application.
struct Parts {
    services: Services,
    site: Arc<Site>,
    slots: CardLoader,
    live: Option<Live>,
    recent: ResponseCache,
    own_pages: Arc<OwnPages>,
    greylist: greylist::Files,
    checker: Arc<Checker>,
    /// The proxies that are believed when they name their client.
    proxies: Arc<TrustedProxies>,
    /// Signs the sessions' cookies.
    key: Key,
    /// Scheme and host, where the settings say them.
    public_url: Option<String>,
    /// The contact for problems of security.
    security: Option<Security>,
}

impl FromRef<App> for Arc<TrustedProxies> {
    fn from_ref(app: &App) -> Self {
        app.parts.proxies.clone()
    }
}

impl FromRef<App> for Arc<Checker> {
    fn from_ref(app: &App) -> Self {
        app.parts.checker.clone()
    }
}

impl FromRef<App> for Desk {
    fn from_ref(app: &App) -> Self {
        Self {
            live: app.parts.live.clone(),
            site: Arc::clone(&app.parts.site),
            proxies: Arc::clone(&app.parts.proxies),
            clock: app.parts.services.jobs.clock,
        }
    }
}

impl App {
    /// The application over open services.
    #[must_use]
    pub fn new(services: Services, settings: &WebSettings, secret: &Secret, live: Option<Live>) -> Self {
        let has = if live.is_some() { LiveFeed::Beside } else { LiveFeed::None };
        let site = Site { formats: Some(API.to_owned()), data_links: true, live: has, ..settings.site() };
        let (site, own_pages) = (Arc::new(site), Arc::new(OwnPages::new(settings.public_url.clone())));
        let checker = Checker::new(&services, &settings.limit, &site, &own_pages);
        let SiteSettings { security_contact, security_expires, .. } = settings.site.clone();
        let security = security_contact.zip(security_expires).map(|(contact, expires)| Security { contact, expires });
        let slots = CardLoader::new(services.clone(), Limit::new(&settings.limit));
        let parts = Parts {
            services,
            site,
            slots,
            live,
            recent: ResponseCache::default(),
            own_pages,
            greylist: greylist::Files::default(),
            checker,
            proxies: Arc::new(settings.limit.trusted_proxies.clone()),
            key: Key::derive_from(secret.bytes()),
            public_url: settings.public_url.clone(),
            security,
        };
        Self { parts: Arc::new(parts) }
    }

    /// The context of a page that shows no period.
    fn plain(&self) -> PageContext<'_> {
        self.context(Period::default())
    }

    fn context(&self, period: Period) -> PageContext<'_> {
        PageContext { site: &self.parts.site, period, now: self.parts.services.jobs.clock.now() }
    }
}

/// All addresses.
pub fn router(app: App) -> Router {
    router_with(app, Router::new())
}

/// Returns all addresses and some more, under the same limits and with the same headers, for comparison in benchmarks.
pub fn router_with(app: App, more: Router<App>) -> Router {
    let strict = from_fn_with_state(app.clone(), strict);
    let programs = programs().merge(parts()).into_router().route_layer(strict);
    let router = more.merge(people().into_router()).merge(programs).fallback(not_found);
    headers::layers(router, Server::Public).with_state(app)
}

/// Stands before every address for programs: refuses parameters that it does not have, in the form in which it answers.
async fn strict(State(app): State<App>, request: Request, next: Next) -> Response {
    http_query::strict(&openapi::ACCEPTED, request, next, |request, refusal| {
        let path = request.uri().path();
        if let Some(response) = passcheck::refused(request.method(), path, &refusal) {
            return response;
        }
        let negotiated = if path.starts_with("/api/device/") { Negotiated::Page } else { Negotiated::Json };
        Problem::expected(refusal.heading, refusal.expected).respond(&app.plain(), negotiated)
    })
    .await
}

/// Returns the addresses for people: pages, and the files that they load. Parameters that links gather (`utm_source`) are ignored there.
fn people() -> Routes<App> {
    let pages = PAGES.iter().fold(Routes::new(), |routes, page| routes.get(page.path, statistics::page));
    pages
        .get(LOOKUP, details::lookup)
        .get(&format!("{LOOKUP}{{ip}}"), details::attacker)
        .get("/passwords/details/{*password}", details::password)
        .get(DEVICES.path, devices::page)
        .get(GREYLIST, greylist::index)
        .get(&format!("{GREYLIST}archive/{{year}}/"), greylist::year)
        .get(API, openapi::show)
        .merge(own::routes())
        .merge(crawlers::routes())
        .merge(passcheck::people())
        .merge(live::people())
        .merge(asset::routes())
}

/// Parts of pages, for the pages' own script.
fn parts() -> Routes<App> {
    Routes::new().get(fragment::PATH, fragment::card)
}

/// Addresses for programs; [`openapi`] describes each.
fn programs() -> Routes<App> {
    Routes::new()
        .get("/api/resource", api::resource)
        .get("/resource/{file}", export::file)
        .get("/api/device/add", devices::confirm)
        .post("/api/device/add", devices::add)
        .post("/api/device/delete", devices::delete)
        .get(&format!("{GREYLIST}{{file}}"), greylist::latest)
        .get(&format!("{GREYLIST}archive/{{year}}/{{file}}"), greylist::archive)
        .merge(passcheck::programs())
        .merge(live::programs())
        .get(OPENAPI, openapi::document)
        .get("/healthz", health::alive)
        .get("/readyz", health::ready)
}

/// Serves until `stop` is cancelled; then open requests are finished.
///
/// # Errors
/// None so far: if the system refuses a connection, it is tried again.
pub async fn serve(
    listener: TcpListener,
    app: App,
    settings: &ConnectionSettings,
    stop: CancellationToken,
) -> std::io::Result<()> {
    serve_routes(listener, &app.parts.proxies.clone(), router(app), settings, stop).await
}

/// Serves routes as [`serve`] does, for benchmarks.
///
/// # Errors
/// As there.
pub async fn serve_routes(
    listener: TcpListener,
    proxies: &Arc<TrustedProxies>,
    routes: Router,
    settings: &ConnectionSettings,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let bounds = Bounds::for_visitors(settings, proxies);
    http::serve::serve(listener, routes, Server::Public, bounds, stop).await
}

/// A path without its slash at the end leads to the one with it; all else leads nowhere.
async fn not_found(State(app): State<App>, uri: Uri) -> Response {
    let with_slash = format!("{}/", uri.path());
    let others = [DEVICES.path, ABOUT, API, DYNFW, GLOSSARY, GREYLIST, LOOKUP, PASSCHECK, PRIVACY];
    if PAGES.iter().any(|page| page.path == with_slash) || others.contains(&with_slash.as_str()) {
        let query = uri.query().map_or(String::new(), |q| format!("?{q}"));
        return axum::response::Redirect::permanent(&format!("{with_slash}{query}")).into_response();
    }
    let json = uri.path().starts_with("/api/");
    Problem::not_found().respond(&app.plain(), if json { Negotiated::Json } else { Negotiated::Page })
}

//! Files that crawlers ask every site for: `robots.txt`, `sitemap.xml`, `security.txt`.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use sview_model::Period;
use sview_views::links;
use sview_views::pages::{ABOUT, API, DYNFW, GLOSSARY, GREYLIST, PAGES, PASSCHECK, PASSCHECK_DOC, PRIVACY};

use super::App;
use crate::http::problem::{Negotiated, Problem};
use crate::http::routes::Routes;

/// Paths that nobody has to search: they are computed on demand, or belong to one visitor.
const DISALLOWED: [&str; 9] = [
    "/api/device/",
    "/api/resource",
    "/attackers/details/",
    "/devices/",
    "/fragment/",
    "/passwords/details/",
    "/range/",
    "/resource/",
    "/ws",
];

const SECURITY: &str = "/.well-known/security.txt";

/// The contact for problems of security, and until when that holds.
#[derive(Clone, Debug)]
pub(super) struct Security {
    pub(super) contact: String,
    pub(super) expires: DateTime<Utc>,
}

/// The addresses of all of them.
pub(super) fn routes() -> Routes<App> {
    Routes::new().get("/robots.txt", robots).get("/sitemap.xml", sitemap).get(SECURITY, security)
}

fn answer(content_type: &'static str, text: String) -> Response {
    ([(header::CACHE_CONTROL, "public, max-age=3600"), (header::CONTENT_TYPE, content_type)], text).into_response()
}

const PLAIN: &str = "text/plain; charset=utf-8";

async fn robots(State(app): State<App>) -> Response {
    let rules: String = DISALLOWED.iter().map(|path| format!("Disallow: {path}\n")).collect();
    let map = app.parts.public_url.as_ref().map(|site| format!("\nSitemap: {site}/sitemap.xml\n"));
    answer(PLAIN, format!("User-agent: *\n{rules}{}", map.unwrap_or_default()))
}

/// The pages by their whole addresses. Without the site's address there is no such file: it would have to guess.
async fn sitemap(State(app): State<App>) -> Response {
    let Some(site) = &app.parts.public_url else { return Problem::not_found().respond(&app.plain(), Negotiated::Page) };
    let statistics = PAGES.iter().map(|page| links::page(page.path, Period::default()));
    let others = [ABOUT, API, GLOSSARY, GREYLIST, PASSCHECK, PASSCHECK_DOC, PRIVACY];
    let live = app.parts.live.as_ref().map(|_| DYNFW.to_owned());
    // Paths of pages and the site's address hold no character that means anything in XML.
    let entry = |path: String| format!("  <url><loc>{site}{path}</loc></url>\n");
    let entries: String = statistics.chain(others.map(str::to_owned)).chain(live).map(entry).collect();
    let head = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    let space = "http://www.sitemaps.org/schemas/sitemap/0.9";
    answer("application/xml", format!("{head}\n<urlset xmlns=\"{space}\">\n{entries}</urlset>\n"))
}

/// RFC 9116. Not there where no contact is set, nor once it has expired: then nobody vouches for it.
async fn security(State(app): State<App>) -> Response {
    let valid = app.parts.security.as_ref().filter(|security| security.expires > app.parts.services.jobs.clock.now());
    let Some(Security { contact, expires }) = valid else {
        return Problem::not_found().respond(&app.plain(), Negotiated::Page);
    };
    let expires = expires.to_rfc3339_opts(SecondsFormat::Secs, true);
    let canonical = app.parts.public_url.as_ref().map(|site| format!("Canonical: {site}{SECURITY}\n"));
    answer(PLAIN, format!("Contact: {contact}\nExpires: {expires}\n{}", canonical.unwrap_or_default()))
}

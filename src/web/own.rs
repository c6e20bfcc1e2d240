//! The pages about the site: about, privacy, glossary.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use maud::Markup;
use sview_views::PageContext;
use sview_views::pages::{ABOUT, GLOSSARY, PRIVACY, about, glossary, privacy};

use super::App;
use crate::http::html;
use crate::http::query::page_period;
use crate::http::routes::Routes;

/// The addresses of all of them.
pub(super) fn routes() -> Routes<App> {
    [(ABOUT, about as fn(&PageContext<'_>) -> Markup), (PRIVACY, privacy), (GLOSSARY, glossary)]
        .into_iter()
        .fold(Routes::new(), |routes, (path, page)| {
            routes.get(path, async move |State(app): State<App>, uri: Uri| show(&app, &uri, page))
        })
}

/// The period is kept for the links; the page itself has none.
fn show(app: &App, uri: &Uri, page: fn(&PageContext<'_>) -> Markup) -> Response {
    html(page(&app.context(page_period(uri).unwrap_or_default())))
}

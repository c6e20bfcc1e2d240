//! The page that checks a password in the visitor's browser, and the page for programs.

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use sview_model::Period;
use sview_views::pages;

use super::schemas::SCHEMAS;
use crate::web::site::site;
use crate::web::{App, html, query};

/// The checker's page.
pub(super) async fn show(State(app): State<App>, headers: HeaderMap, uri: Uri) -> Response {
    // The period is kept for the links; the page itself has none.
    html(pages::passcheck(&app.context(query::page_period(&uri).unwrap_or_default()), &site(&headers)))
}

/// The page of its API.
pub(super) async fn doc(State(app): State<App>, headers: HeaderMap) -> Response {
    html(pages::passcheck_doc(&app.context(Period::default()), &site(&headers), &*SCHEMAS))
}

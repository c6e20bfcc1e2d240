//! The page that checks a password in the visitor's browser, and the page for programs.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use sview_model::Period;
use sview_views::pages;

use super::schemas::SCHEMAS;
use crate::web::{App, html, query};

/// The checker's page.
pub(super) async fn show(State(app): State<App>, uri: Uri) -> Response {
    // The period is kept for the links; the page itself has none.
    html(pages::passcheck(&app.context(query::page_period(&uri).unwrap_or_default())))
}

/// The page of its API.
pub(super) async fn doc(State(app): State<App>) -> Response {
    html(pages::passcheck_doc(&app.context(Period::default()), &*SCHEMAS))
}

//! The page that checks a password in the visitor's browser, and the page for programs.

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use sview_model::Period;
use sview_views::pages;

use super::schemas::SCHEMAS;
use crate::web::site::OWN;
use crate::web::{App, html, query};

/// The checker's page.
pub(super) async fn show(State(app): State<App>, headers: HeaderMap, uri: Uri) -> Response {
    // The period is kept for the links; the page itself has none.
    let context = app.context(query::page_period(&uri).unwrap_or_default());
    (OWN, html(pages::passcheck(&context, &app.address(&headers)))).into_response()
}

/// The page of its API.
pub(super) async fn doc(State(app): State<App>, headers: HeaderMap) -> Response {
    let page = pages::passcheck_doc(&app.context(Period::default()), &app.address(&headers), &*SCHEMAS);
    (OWN, html(page)).into_response()
}

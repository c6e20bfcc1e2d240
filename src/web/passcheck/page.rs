//! The page that checks a password in the visitor's browser, and the page for programs.

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use sview_model::Period;
use sview_views::pages;

use super::schemas::SCHEMAS;
use crate::web::{App, query};

/// The checker's page.
pub(super) async fn show(State(app): State<App>, headers: HeaderMap, uri: Uri) -> Response {
    // The period is kept for the links; the page itself has none.
    let period = query::page_period(&uri).unwrap_or_default();
    app.own_page(&format!("passcheck {period}"), &headers, |address| pages::passcheck(&app.context(period), address))
}

/// The page of its API.
pub(super) async fn doc(State(app): State<App>, headers: HeaderMap) -> Response {
    app.own_page("passcheck doc", &headers, |address| {
        pages::passcheck_doc(&app.context(Period::default()), address, &*SCHEMAS)
    })
}

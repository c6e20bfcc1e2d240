//! The page that checks a password in the visitor's browser, and the page for programs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use sview_model::Period;
use sview_views::pages;

use super::Checker;
use super::schemas::SCHEMAS;
use crate::http::query::page_period;

/// The checker's page.
pub(super) async fn show(State(checker): State<Arc<Checker>>, headers: HeaderMap, uri: Uri) -> Response {
    // The period is kept for the links; the page itself has none.
    let period = page_period(&uri).unwrap_or_default();
    let name = format!("passcheck {period}");
    checker.own_pages.page(&name, &headers, |address| pages::passcheck(&checker.context(period), address))
}

/// The page of its API.
pub(super) async fn doc(State(checker): State<Arc<Checker>>, headers: HeaderMap) -> Response {
    checker.own_pages.page("passcheck doc", &headers, |address| {
        pages::passcheck_doc(&checker.context(Period::default()), address, &*SCHEMAS)
    })
}

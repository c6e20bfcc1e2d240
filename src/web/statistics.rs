//! The statistics pages.

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};
use sview_model::Parameters;
use sview_views::pages::{self, Page};

use super::client::Client;
use super::error::Problem;
use super::{App, query};

/// A statistics page: what is cached, placeholders for the rest.
pub(super) async fn page(State(app): State<App>, client: Client, uri: Uri) -> Response {
    let Some(page) = Page::at(uri.path()) else { return Problem::not_found().page(&app) };
    let period = match query::page_period(&uri) {
        Ok(period) => period,
        Err(address) => return Redirect::temporary(&address).into_response(),
    };
    match app.slots.of(client, page.requests(period, &Parameters::None)).await {
        Ok(slots) => super::html(pages::statistics(&app.context(period), page, &slots)),
        Err(problem) => problem.page(&app),
    }
}

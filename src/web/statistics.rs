//! The statistics pages.

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use sview_model::Parameters;
use sview_views::pages::{self, Page};

use super::App;
use crate::http::answer::Answer;
use crate::http::client::Client;
use crate::http::problem::Problem;
use crate::http::query::page_period;

/// Shows a statistics page: cached values, and placeholders for the rest.
pub(super) async fn page(State(app): State<App>, client: Client, headers: HeaderMap, uri: Uri) -> Response {
    let Some(page) = Page::at(uri.path()) else { return Problem::not_found().page(&app.plain()) };
    let period = match page_period(&uri) {
        Ok(period) => period,
        Err(address) => return Redirect::temporary(&address).into_response(),
    };
    let address = format!("{} {period}", page.path);
    let answer = app.parts.recent.get(&address, async {
        let slots = app.parts.slots.of(client, page.requests(period, &Parameters::None)).await?;
        let whole = !slots.iter().any(|(_, slot)| slot.is_pending());
        let markup = pages::statistics(&app.context(period), page, &slots).into_string();
        Ok::<_, Problem>((Answer::new(markup, "text/html; charset=utf-8", "no-cache"), whole))
    });
    match answer.await {
        Ok(answer) => answer.respond(&headers),
        Err(problem) => problem.page(&app.plain()),
    }
}

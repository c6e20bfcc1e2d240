//! A card alone: what the script asks for while a placeholder waits. 200 with the card, 202 while it is being computed.

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::error::Problem;
use super::query::ResourceQuery;
use super::session::Session;

/// The card of a resource.
pub(super) async fn card(
    State(app): State<App>,
    session: Session,
    Path(name): Path<String>,
    Query(query): Query<ResourceQuery>,
) -> Response {
    let request = match query.request(&name, &session) {
        Ok(request) => request,
        Err(problem) => return problem.json(),
    };
    match app.slots.of(vec![request]).await {
        Ok(slots) => {
            let Some((request, slot)) = slots.into_iter().next() else { return Problem::not_found().json() };
            let status = if slot.is_pending() { StatusCode::ACCEPTED } else { StatusCode::OK };
            let markup = sview_views::card(&request, &slot, &app.context(request.period()).cards());
            (status, [(header::CACHE_CONTROL, "no-store")], super::html(markup)).into_response()
        }
        Err(error) => Problem::unavailable(&error).json(),
    }
}

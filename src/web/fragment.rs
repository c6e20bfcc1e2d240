//! A card alone: what the script asks for while a placeholder waits. 200 with the card, 202 while it is being computed.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::client::Client;
use super::error::Problem;
use super::query::ResourceQuery;
use super::session::Session;

/// Where cards are.
pub(super) const PATH: &str = "/fragment/{name}";

/// The card of a resource.
pub(super) async fn card(
    State(app): State<App>,
    client: Client,
    session: Session,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<ResourceQuery>, QueryRejection>,
) -> Response {
    answer(&app, client, &session, name, query).await.unwrap_or_else(Problem::json)
}

async fn answer(
    app: &App,
    client: Client,
    session: &Session,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<ResourceQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Path(name) = name.map_err(|e| Problem::expected("The address cannot be read", e.body_text()))?;
    let Query(query) = query.map_err(|e| Problem::expected("The query cannot be read", e.body_text()))?;
    let slots = app.slots.of(client, vec![query.request(&name, session)?]).await?;
    let (request, slot) = slots.into_iter().next().ok_or_else(Problem::not_found)?;
    let status = if slot.is_pending() { StatusCode::ACCEPTED } else { StatusCode::OK };
    let markup = sview_views::card(&request, &slot, &app.context(request.period()).cards());
    Ok((status, [(header::CACHE_CONTROL, "no-store")], super::html(markup)).into_response())
}

//! `/api/resource`: the original's JSON.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use sview_model::{Data, Subject, token_check};

use super::App;
use super::error::Problem;
use super::export::{Body, respond};
use super::query::ResourceQuery;
use super::session::Session;

/// `{"resource_name":…,"data":…}`; `data` is null while nothing is cached.
pub(super) async fn resource(
    State(app): State<App>,
    session: Session,
    headers: HeaderMap,
    query: Result<Query<ResourceQuery>, QueryRejection>,
) -> Response {
    answer(&app, &session, &headers, query).await.unwrap_or_else(Problem::json)
}

async fn answer(
    app: &App,
    session: &Session,
    headers: &HeaderMap,
    query: Result<Query<ResourceQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|e| Problem::expected("The query cannot be read", e.body_text()))?;
    let name = query.name.as_deref().ok_or_else(|| Problem::expected("A resource is missing", "name=…"))?;
    let request = query.request(name, session)?;
    let resource = request.resource();
    let private = resource.subject == Subject::Devices;
    if private && query.token.as_ref().is_some_and(|token| *token != token_check(session.tokens())) {
        let advice = "token is the first 10 hex digits of the SHA-256 of the session's device tokens, joined in order";
        return Err(Problem::forbidden(format!("The token is not this session's: {advice}"), advice));
    }
    let wrap = |json: &str| format!("{{\"resource_name\":\"{resource}\",\"data\":{json}}}");
    if private && session.tokens().is_empty() {
        return Ok(respond(headers, Body::json(wrap(&Data::empty(&resource).to_json())), &request, None));
    }
    let entry = app.slots.entry(&request).await.map_err(|e| Problem::unavailable(&e))?;
    let json = wrap(entry.as_ref().map_or("null", |e| &e.json));
    Ok(respond(headers, Body::json(json), &request, entry.as_ref()))
}

//! `/api/resource`: the original's JSON.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use sview_model::{Subject, token_check};
use utoipa::IntoParams;

use super::App;
use super::export::{Body, respond};
use super::query::{ResourceQuery, taken};
use super::schemas;
use super::session::Session;
use crate::http::client::Client;
use crate::http::problem::{Error, Problem};

/// The parameters of the API besides those of every resource.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ApiQuery {
    /// The name of the resource.
    #[param(value_type = schemas::ResourceName)]
    name: Option<String>,
    /// The first 10 hex digits of the SHA-256 of the session's device tokens, joined in order. Only compared with them: data of
    /// devices are those of the session's cookie.
    token: Option<String>,
}

/// The data of a resource
///
/// What is about devices is that of the session's own, and kept by no cache.
#[utoipa::path(
    get,
    path = "/api/resource",
    tag = "Statistics",
    params(ApiQuery, ResourceQuery),
    responses(
        (status = 200, description = "The data, or null while it is being computed.", body = schemas::Answer,
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The answer is what If-None-Match names."),
        (status = 400, description = "Something is wrong with the address; error says what was expected.", body = Error),
        (status = 403, description = "The token is not this session's.", body = Error),
        (status = 429, description = "Too much was asked for; Retry-After says when to ask again.", body = Error),
        (status = 503, description = "It cannot be answered at the moment.", body = Error),
    )
)]
pub(super) async fn resource(
    State(app): State<App>,
    client: Client,
    session: Session,
    headers: HeaderMap,
    api: Result<Query<ApiQuery>, QueryRejection>,
    query: Result<Query<ResourceQuery>, QueryRejection>,
) -> Response {
    answer(&app, client, &session, &headers, api, query).await.unwrap_or_else(Problem::json)
}

async fn answer(
    app: &App,
    client: Client,
    session: &Session,
    headers: &HeaderMap,
    api: Result<Query<ApiQuery>, QueryRejection>,
    query: Result<Query<ResourceQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let unreadable = |e: QueryRejection| Problem::expected("The query cannot be read", e.body_text());
    let (Query(api), Query(query)) = (api.map_err(unreadable)?, query.map_err(unreadable)?);
    let name = api.name.as_deref().ok_or_else(|| Problem::expected("A resource is missing", "name=…"))?;
    let request = query.request(name, session)?;
    let resource = request.resource();
    let devices = resource.subject == Subject::Devices;
    if !devices && api.token.is_some() {
        return Err(Problem::expected(format!("{resource} has no parameter token"), taken(resource)));
    }
    if devices && api.token.as_ref().is_some_and(|token| *token != token_check(session.tokens())) {
        let advice = "token is the first 10 hex digits of the SHA-256 of the session's device tokens, joined in order";
        return Err(Problem::forbidden("The token is not this session's", advice));
    }
    respond(app, client, headers, &request, "api", |entry| {
        let data = entry.map_or("null", |e| &e.json);
        Ok(Body::json(format!("{{\"resource_name\":\"{resource}\",\"data\":{data}}}")))
    })
    .await
}

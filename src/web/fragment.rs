//! A card alone. The script asks for it while a placeholder waits, and when a newer value is due. 200 with the card, 304 if the script has
//! it, 202 while it is being computed.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use sview_model::{Request, Subject};

use super::App;
use super::query::ResourceQuery;
use super::session::Session;
use crate::http::answer::Answer;
use crate::http::client::Client;
use crate::http::problem::Problem;

/// The path of cards.
pub(super) const PATH: &str = "/fragment/{name}";

const HTML: &str = "text/html; charset=utf-8";

/// The card of a resource.
pub(super) async fn card(
    State(app): State<App>,
    client: Client,
    session: Session,
    headers: HeaderMap,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<ResourceQuery>, QueryRejection>,
) -> Response {
    answer(&app, client, &session, &headers, name, query).await.unwrap_or_else(Problem::json)
}

async fn answer(
    app: &App,
    client: Client,
    session: &Session,
    headers: &HeaderMap,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<ResourceQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Path(name) = name.map_err(|e| Problem::expected("The address cannot be read", e.body_text()))?;
    let Query(query) = query.map_err(|e| Problem::expected("The query cannot be read", e.body_text()))?;
    let request = query.request(&name, session)?;
    // The script of every open page asks for these, when a newer value is due.
    if request.resource().subject == Subject::Everything {
        let address = format!("card {}", request.key());
        return Ok(app.parts.recent.get(&address, make(app, client, request)).await?.respond(headers));
    }
    Ok(make(app, client, request).await?.0.respond(headers))
}

/// The card, and whether it may be kept for a second.
async fn make(app: &App, client: Client, request: Request) -> Result<(Answer, bool), Problem> {
    let public = request.resource().subject == Subject::Everything;
    let slots = app.parts.slots.of(client, vec![request]).await?;
    let (request, slot) = slots.into_iter().next().ok_or_else(Problem::not_found)?;
    let markup = sview_views::card(&request, &slot, &app.context(request.period()).cards()).into_string();
    Ok(match slot.tag() {
        // The age of the value is in the text, and changes all the time: the script counts it on.
        Some(tag) if public => (Answer::tagged(markup, &tag, HTML, "no-cache"), true),
        _ => {
            let status = if slot.is_pending() { StatusCode::ACCEPTED } else { StatusCode::OK };
            (Answer::new(markup, HTML, "no-store").with_status(status), false)
        }
    })
}

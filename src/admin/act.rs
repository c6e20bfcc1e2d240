//! Acting: the form's POST and the JSON one. The guard has checked right and origin before.

use std::time::Duration;

use axum::extract::State;
use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::{Form, Json};
use axum_extra::extract::cookie::SignedCookieJar;
use sview_jobs::NewAction;

use super::Admin;
use super::access::said_cookie;
use super::answers::Error;
use super::context::Viewer;
use super::order::{Asked, Did, Order};
use super::problem::Problem;
use crate::http::tls::OverTls;

/// The time that an answer waits for an order; the order goes on by itself then.
const PATIENCE: Duration = Duration::from_secs(12);

/// Carries an order out, in a task of its own, so the operator may leave. `None`: it is still going on.
async fn carry_out(admin: &Admin, viewer: &Viewer, order: Order) -> Result<Option<Did>, Problem> {
    let (admin, viewer) = (admin.clone(), viewer.clone());
    let task = tokio::spawn(async move {
        let note = async |what: String| {
            let action = NewAction { who: viewer.who.clone(), peer: viewer.peer.clone(), what };
            // An action that cannot be logged is not done.
            admin.services.jobs.queues.ledger().note_action(&action).await?;
            tracing::info!(
                who = action.who,
                peer = action.peer,
                what = sview_jobs::sanitise_line(&action.what, 300),
                "an operator requested an action"
            );
            Ok(())
        };
        let did = order.carry_out(&admin, note).await;
        // After a failed order too: a part of it may be done.
        admin.forget_dead().await;
        if let Ok(did) = &did {
            tracing::info!(peer = viewer.peer, said = did.said, "completed an operator's action");
        }
        did
    });
    match tokio::time::timeout(PATIENCE, task).await {
        Ok(Ok(did)) => did.map(Some),
        Ok(Err(error)) => Err(Problem::unavailable(error)),
        Err(_) => Ok(None),
    }
}

/// Carries out the action of a form.
pub(super) async fn form(
    State(admin): State<Admin>,
    viewer: Viewer,
    uri: Uri,
    jar: SignedCookieJar,
    tls: OverTls,
    asked: Result<Form<Asked>, FormRejection>,
) -> Response {
    let done = async {
        let Form(asked) = asked
            .map_err(|error| Problem::unreadable("The form cannot be read", error.status(), &error.body_text()))?;
        let order = asked.order()?;
        let back = order.back();
        let did = carry_out(&admin, &viewer, order).await?;
        Ok(match did {
            None => (back, "It is being done.".to_owned()),
            Some(did) => (did.shown_at.unwrap_or(back), did.said),
        })
    };
    match done.await {
        Ok((back, said)) => (jar.add(said_cookie(said, tls)), Redirect::to(&back)).into_response(),
        Err(problem) => Problem::respond(problem, &viewer.context(), &uri),
    }
}

/// Acts
///
/// retry, cancel and delete jobs, one by its id or all that match a filter; pause and resume a queue; run a producer. It is written to
/// the log of actions first. Needs the full token.
#[utoipa::path(
    post,
    path = "/api/jobs/actions",
    request_body = Asked,
    responses(
        (status = 200, description = "What became of it.", body = Did),
        (status = 202, description = "It goes on by itself.", content_type = "application/json"),
        (status = 400, description = "The order makes no sense; error says what was expected.", body = Error),
        (status = 401, description = "A token is needed.", body = Error),
        (status = 403, description = "The token only lets look, or another site sent this.", body = Error),
        (status = 404, description = "There is no such job, or none any more.", body = Error),
        (status = 413, description = "The order is too large.", body = Error),
        (status = 415, description = "The order is not sent as application/json.", body = Error),
    )
)]
pub(super) async fn json(
    State(admin): State<Admin>,
    viewer: Viewer,
    uri: Uri,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Response {
    let done = async {
        let Json(asked) = asked
            .map_err(|error| Problem::unreadable("The order cannot be read", error.status(), &error.body_text()))?;
        carry_out(&admin, &viewer, asked.order()?).await
    };
    match done.await {
        Ok(Some(did)) => Json(did).into_response(),
        Ok(None) => (StatusCode::ACCEPTED, Json(serde_json::json!({ "said": "It is being done." }))).into_response(),
        Err(problem) => Problem::respond(problem, &viewer.context(), &uri),
    }
}

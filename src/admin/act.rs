//! Acting: the page that asks first, the form's POST and the JSON one. The guard has checked right and origin before.

use std::time::Duration;

use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::{Form, Json};
use axum_extra::extract::cookie::SignedCookieJar;
use sview_jobs::{NewAction, Steering, matching};
use sview_views::admin::{self, Ask, Confirm};

use super::Admin;
use super::access::{Right, said_cookie};
use super::answers::Error;
use super::context::Viewer;
use super::order::{AT_ONCE, Asked, Did, Order, name, told};
use super::problem::Problem;
use crate::http::html;
use crate::http::tls::OverTls;

/// How long an answer waits for what was ordered; it goes on by itself then.
const PATIENCE: Duration = Duration::from_secs(12);

/// How many of the jobs a confirmation names.
const EXAMPLES: usize = 10;

/// Carries an order out, in a task of its own: whoever ordered it may leave. `None`: it is still going on.
async fn carry_out(admin: &Admin, viewer: &Viewer, order: Order) -> Result<Option<Did>, Problem> {
    let (admin, viewer) = (admin.clone(), viewer.clone());
    let task = tokio::spawn(async move {
        let note = async |what: String| {
            let action = NewAction { who: viewer.who.clone(), peer: viewer.peer.clone(), what };
            // What cannot be written down is not done.
            admin.services.jobs.queues.note_action(&action).await?;
            tracing::info!(
                who = action.who,
                peer = action.peer,
                what = sview_jobs::in_words(&action.what, 300),
                "an operator acts"
            );
            Ok(())
        };
        let did = order.carry_out(&admin, note).await;
        if let Ok(did) = &did {
            tracing::info!(peer = viewer.peer, said = did.said, "an operator's action is done");
        }
        did
    });
    match tokio::time::timeout(PATIENCE, task).await {
        Ok(Ok(did)) => did.map(Some),
        Ok(Err(error)) => Err(Problem::unavailable(error)),
        Err(_) => Ok(None),
    }
}

/// A form.
pub(super) async fn form(
    State(admin): State<Admin>,
    viewer: Viewer,
    uri: Uri,
    jar: SignedCookieJar,
    tls: OverTls,
    asked: Result<Form<Asked>, FormRejection>,
) -> Response {
    let done = async {
        let Form(asked) = asked.map_err(|error| Problem::expected("The form cannot be read", error))?;
        let order = asked.order()?;
        let back = order.back();
        let did = carry_out(&admin, &viewer, order).await?;
        Ok((back, did.map_or_else(|| "It is being done.".to_owned(), |did| did.said)))
    };
    match done.await {
        Ok((back, said)) => (jar.add(said_cookie(said, tls)), Redirect::to(&back)).into_response(),
        Err(problem) => Problem::respond(problem, &viewer, &uri),
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
    )
)]
pub(super) async fn json(
    State(admin): State<Admin>,
    viewer: Viewer,
    uri: Uri,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Response {
    let done = async {
        let Json(asked) = asked.map_err(|error| Problem::expected("The order cannot be read", error))?;
        carry_out(&admin, &viewer, asked.order()?).await
    };
    match done.await {
        Ok(Some(did)) => Json(did).into_response(),
        Ok(None) => (StatusCode::ACCEPTED, Json(serde_json::json!({ "said": "It is being done." }))).into_response(),
        Err(problem) => Problem::respond(problem, &viewer, &uri),
    }
}

/// The page that asks. It changes nothing.
pub(super) async fn confirm(
    State(admin): State<Admin>,
    viewer: Viewer,
    uri: Uri,
    Query(asked): Query<Asked>,
) -> Response {
    let page = async {
        if viewer.right != Right::Full {
            return Err(Problem::forbidden("This token only lets look", "Sign in with the full token to act."));
        }
        question(&admin, asked.order()?).await
    };
    match page.await {
        Ok(page) => html(admin::confirm(&viewer.context(), &page)),
        Err(problem) => problem.respond(&viewer, &uri),
    }
}

/// What happens to jobs, in words.
fn consequence(steering: Steering) -> &'static str {
    match steering {
        Steering::Retry => {
            "Ended jobs are queued again with all their attempts before them; scheduled ones run at once."
        }
        Steering::Cancel => {
            "Waiting jobs will not run; running ones are stopped at their worker's next sign of life. The next refresh may \
             queue the same again, if it is due."
        }
        Steering::Delete => "Their records are gone for good, with the errors in them. Waiting ones will not run.",
    }
}

const fn verb(steering: Steering) -> (&'static str, &'static str) {
    match steering {
        Steering::Retry => ("Retry", "Retry them"),
        Steering::Cancel => ("Cancel", "Cancel them"),
        Steering::Delete => ("Delete", "Delete them"),
    }
}

async fn question(admin: &Admin, order: Order) -> Result<Confirm, Problem> {
    let (queues, back) = (&admin.services.jobs.queues, order.back());
    match order {
        Order::One(steering, id) => {
            let record = queues.get(id).await?.ok_or_else(|| Problem::not_found("There is no such job"))?;
            let (verb, action) = (verb(steering).0, name(steering));
            Ok(Confirm {
                question: format!("{verb} this {} job?", record.state),
                consequences: vec![consequence(steering).to_owned()],
                examples: vec![record.words],
                ask: Ask::one(verb, action, false, ("id", id.to_string())),
                back: format!("/jobs/{id}"),
                any: true,
            })
        }
        Order::Matching { steering, filter, mut typed } => {
            // What is queued after this page was made is not meant.
            if typed.until.is_empty() {
                typed.until = sview_jobs::machine_now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            }
            let ids = matching(queues, steering, &filter).await?;
            let (verb, button) = verb(steering);
            let mut examples = Vec::new();
            for id in ids.iter().take(EXAMPLES) {
                examples.extend(queues.get(*id).await?.map(|record| format!("{}: {}", record.state, record.words)));
            }
            if ids.len() > EXAMPLES {
                examples.push(format!("and {} more", ids.len() - EXAMPLES));
            }
            let mut consequences = vec![format!("All that match {}.", sview_jobs::in_words(&told(&typed), 300))];
            consequences.push(match ids.len() {
                0 => "No job is in a state to which this does anything.".to_owned(),
                AT_ONCE => format!("Only the newest {AT_ONCE} at once; ask again for the rest."),
                _ => consequence(steering).to_owned(),
            });
            let mut fields = vec![("action", name(steering).to_owned()), ("all", "yes".to_owned())];
            fields.extend(typed.fields());
            Ok(Confirm {
                question: format!("{verb} {} jobs?", ids.len()),
                consequences,
                examples,
                ask: Ask { label: button, asks: false, fields },
                back,
                any: !ids.is_empty(),
            })
        }
        Order::Pause(..) | Order::Run(_) => {
            Err(Problem::expected("Nothing is destroyed by that", "the action itself, as a POST to /act"))
        }
    }
}

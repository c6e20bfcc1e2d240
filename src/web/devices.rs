//! A visitor's own devices: added and removed by form, shown with their reports.

use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use sview_model::{DeviceToken, Parameters, Period};
use sview_views::pages::{self, Devices};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::schemas::Token;
use super::session::{MOST, Session};
use crate::http::client::Client;
use crate::http::guard;
use crate::http::problem::Problem;
use crate::http::query::page_period;

/// Answers about a session's devices are nobody else's, not even a cache's.
const PRIVATE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "private, no-store")];

/// The form of a device. It carries no token against foreign sites: [`guard::same_site`] recognises their forms by the browser's word.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Device {
    /// The token of a device: 64 lower-case letters and digits.
    #[param(value_type = Option<Token>)]
    #[schema(value_type = Token, required = false)]
    device_token: Option<String>,
    /// The same, as a router's own page calls it; one of the two must be there.
    token: Option<String>,
}

impl Device {
    fn parse(&self) -> Result<DeviceToken, Problem> {
        let text = self.device_token.as_ref().or(self.token.as_ref()).map(|t| t.trim()).unwrap_or_default();
        text.parse().map_err(|error| Problem::expected("That is no device token", error))
    }
}

/// The page of the session's devices.
pub(super) async fn page(State(app): State<App>, client: Client, session: Session, uri: Uri) -> Response {
    let period = match page_period(&uri) {
        Ok(period) => period,
        Err(address) => return Redirect::temporary(&address).into_response(),
    };
    let tokens = session.tokens();
    let requests = match tokens {
        [] => Vec::new(),
        tokens => pages::DEVICES.requests(period, &Parameters::Devices(tokens.to_vec())),
    };
    match app.parts.slots.of(client, requests).await {
        Ok(slots) => {
            let devices = Devices { tokens, message: None };
            (PRIVATE, super::html(pages::devices(&app.context(period), &devices, &slots))).into_response()
        }
        Err(problem) => problem.page(&app.plain()),
    }
}

/// A page that asks whether to add a device
///
/// The page that a router's own page links to. It changes nothing: the page has a form that does.
#[utoipa::path(
    get,
    path = "/api/device/add",
    tag = "Devices",
    operation_id = "ask_about_device",
    params(Device),
    responses(
        (status = 200, description = "The page.", content_type = "text/html"),
        (status = 400, description = "That is no device token.", content_type = "text/html"),
    )
)]
pub(super) async fn confirm(State(app): State<App>, query: Result<Query<Device>, QueryRejection>) -> Response {
    let token = query.map_err(|e| Problem::expected("The query cannot be read", e.body_text()));
    match token.and_then(|Query(device)| device.parse()) {
        Ok(token) => {
            let page = pages::confirm_device(&app.context(Period::default()), &token);
            (PRIVATE, super::html(page)).into_response()
        }
        Err(problem) => problem.page(&app.plain()),
    }
}

/// Adds a device to the session
#[utoipa::path(
    post,
    path = "/api/device/add",
    tag = "Devices",
    operation_id = "add_device",
    request_body(content = Device, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "Done; the cookie is the session, and the place is its page.",
            headers(("Set-Cookie" = String), ("Location" = String))),
        (status = 400, description = "That is no device token, or there are too many.", content_type = "text/html"),
        (status = 403, description = "Another site sent the form.", content_type = "text/html"),
        (status = 413, description = "The form is too large.", content_type = "text/html"),
        (status = 415, description = "That is no form.", content_type = "text/html"),
    )
)]
pub(super) async fn add(
    State(app): State<App>,
    session: Session,
    headers: HeaderMap,
    form: Result<Form<Device>, FormRejection>,
) -> Response {
    change(&app, session, &headers, form, |tokens, token| {
        if !tokens.contains(&token) {
            if tokens.len() >= MOST {
                let most = format!("at most {MOST} devices; remove one first");
                return Err(Problem::expected("There are too many devices", most));
            }
            tokens.push(token);
        }
        Ok(())
    })
}

/// Removes a device from the session
#[utoipa::path(
    post,
    path = "/api/device/delete",
    tag = "Devices",
    operation_id = "remove_device",
    request_body(content = Device, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "Done; the cookie is the session, and the place is its page.",
            headers(("Set-Cookie" = String), ("Location" = String))),
        (status = 400, description = "That is no device token.", content_type = "text/html"),
        (status = 403, description = "Another site sent the form.", content_type = "text/html"),
        (status = 413, description = "The form is too large.", content_type = "text/html"),
        (status = 415, description = "That is no form.", content_type = "text/html"),
    )
)]
pub(super) async fn delete(
    State(app): State<App>,
    session: Session,
    headers: HeaderMap,
    form: Result<Form<Device>, FormRejection>,
) -> Response {
    change(&app, session, &headers, form, |tokens, token| {
        tokens.retain(|t| *t != token);
        Ok(())
    })
}

fn change(
    app: &App,
    session: Session,
    headers: &HeaderMap,
    form: Result<Form<Device>, FormRejection>,
    edit: impl FnOnce(&mut Vec<DeviceToken>, DeviceToken) -> Result<(), Problem>,
) -> Response {
    let edited = guard::same_site(headers)
        .map_err(Problem::foreign)
        .and_then(|()| form.map_err(|e| Problem::unreadable("The form cannot be read", e.status(), e.body_text())))
        .and_then(|Form(device)| device.parse())
        .and_then(|token| {
            let mut tokens = session.tokens().to_vec();
            edit(&mut tokens, token)?;
            Ok(tokens)
        });
    match edited {
        Ok(tokens) => {
            let back = format!("/devices/?period={}", Period::default());
            (PRIVATE, session.keep(&tokens), Redirect::to(&back)).into_response()
        }
        Err(problem) => problem.page(&app.plain()),
    }
}

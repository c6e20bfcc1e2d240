//! Signing in and out.

use std::time::Duration;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::cookie::SignedCookieJar;
use serde::Deserialize;
use sview_jobs::machine_now;
use sview_views::admin::{AdminContext, login};

use super::Admin;
use super::access::{login_cookie, logout_cookie};
use super::problem::Problem;
use crate::http::guard::{ForeignSite, same_site};
use crate::http::html;
use crate::http::tls::OverTls;

/// How long the answer to a wrong token takes: guessing is slow.
const PAUSE: Duration = Duration::from_millis(700);

#[derive(Deserialize)]
pub(super) struct Next {
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Shown {
    token: String,
    next: Option<String>,
}

/// A path of this very server: nobody is led elsewhere.
fn own(next: Option<String>) -> String {
    let good = |path: &String| {
        path.starts_with('/') && !path[1..].starts_with(['/', '\\']) && path.bytes().all(|b| b.is_ascii_graphic())
    };
    next.filter(good).unwrap_or_else(|| "/".to_owned())
}

fn form(next: &str, wrong: bool) -> Response {
    let context = AdminContext { now: machine_now(), may_act: false, signed_in: false, said: None };
    ([(header::CACHE_CONTROL, "private, no-store")], html(login(&context, next, wrong))).into_response()
}

/// Shows the form.
pub(super) async fn page(State(admin): State<Admin>, Query(query): Query<Next>) -> Response {
    let next = own(query.next);
    if admin.access.is_closed() { form(&next, false) } else { Redirect::to(&next).into_response() }
}

/// Takes the token.
pub(super) async fn sign_in(
    State(admin): State<Admin>,
    jar: SignedCookieJar,
    tls: OverTls,
    headers: HeaderMap,
    uri: Uri,
    shown: Result<Form<Shown>, FormRejection>,
) -> Response {
    if same_site(&headers).is_err() {
        return Problem::forbidden(ForeignSite::HEADING, ForeignSite::ADVICE).alone(&uri);
    }
    let Form(shown) = match shown {
        Ok(shown) => shown,
        Err(error) => {
            let heading = "The form cannot be read";
            return Problem::unreadable(heading, error.status(), &error.body_text()).alone(&uri);
        }
    };
    let next = own(shown.next);
    match admin.access.of(shown.token.trim()) {
        Some(right) => (jar.add(login_cookie(right, tls)), Redirect::to(&next)).into_response(),
        None => {
            tokio::time::sleep(PAUSE).await;
            (StatusCode::FORBIDDEN, form(&next, true)).into_response()
        }
    }
}

/// Ends the login.
pub(super) async fn out(jar: SignedCookieJar) -> Response {
    (jar.remove(logout_cookie()), Redirect::to("/login")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_are_gone_to() {
        assert_eq!(own(Some("/jobs?state=dead".into())), "/jobs?state=dead");
        for foreign in ["//evil.example", "/\\evil.example", "https://evil.example", "", "jobs", "/a b", "/a\r\nb"] {
            assert_eq!(own(Some(foreign.into())), "/", "{foreign}");
        }
    }
}

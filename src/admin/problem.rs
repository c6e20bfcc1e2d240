//! Answers to an operator's request that failed: pages for people, `{"error":…}` for programs. Unlike the public server's, they name the
//! failure, because operators run the deployment.

use axum::http::{HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use sview_jobs::machine_now;
use sview_model::counted;
use sview_views::admin::{AdminContext, problem};

use crate::config::LedgerSettings;
use crate::http::{self, html};

/// A request that cannot be answered as asked.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    heading: String,
    advice: String,
}

/// The address of the stream of events.
pub(super) const EVENTS: &str = "/events";

/// No problem is kept by a cache.
const KEPT_BY_NOBODY: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "private, no-store")];

/// Whether an address is one for programs.
pub(super) fn is_for_programs(uri: &Uri) -> bool {
    uri.path().starts_with("/api/") || uri.path() == "/metrics" || uri.path() == EVENTS
}

impl Problem {
    fn new(status: StatusCode, heading: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status, heading: heading.into(), advice: advice.into() }
    }

    /// The caller's mistake (400); `expected` says what would have been right.
    pub(super) fn expected(heading: impl Into<String>, expected: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, heading, format!("Expected: {}.", expected.to_string()))
    }

    /// An input that the framework refused to read, with its status and reason.
    pub(super) fn unreadable(heading: &str, status: StatusCode, reason: &str) -> Self {
        Self::new(http::unreadable(status), heading, format!("{reason}."))
    }

    /// No token, or a wrong one (401).
    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "A token is needed", "Send it as Authorization: Bearer.")
    }

    /// Not allowed (403).
    pub(super) fn forbidden(heading: &str, advice: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, heading, advice)
    }

    /// An address that leads nowhere (404).
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is no such page", "Check the address, or begin at the overview.")
    }

    /// The id of a job that is unknown (404): it never was, or it was purged by these settings.
    pub(super) fn no_such_job(settings: &LedgerSettings) -> Self {
        let LedgerSettings { keep_jobs_days: days, keep_jobs: most, keep_visitors_jobs: visitors } = settings;
        let days = counted(u64::from(*days), "day");
        let advice = format!(
            "It may have been purged: ended jobs are kept for {days} (SVIEW_KEEP_JOBS_DAYS), and at most {most} of each queue and \
             way to end (SVIEW_KEEP_JOBS), {visitors} of them about what visitors asked for (SVIEW_KEEP_VISITORS_JOBS)."
        );
        Self::new(StatusCode::NOT_FOUND, "There is no such job", advice)
    }

    /// Too many at once (503).
    pub(super) fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Too many pages are open", "Close some and try again.")
    }

    /// A ledger, cache or database that does not answer (503).
    pub(super) fn unavailable(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "could not answer a request on the operators' pages");
        let said = format!("What the page is made of does not answer: {error}. Try again in a minute.");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "This cannot be answered at the moment", said)
    }

    /// Returns the answer for an operator with this context.
    pub(super) fn respond(self, context: &AdminContext, uri: &Uri) -> Response {
        if is_for_programs(uri) {
            return self.into_response();
        }
        let page = html(problem(context, self.status.as_u16(), &self.heading, &self.advice));
        (self.status, KEPT_BY_NOBODY, page).into_response()
    }

    /// For somebody who did not get past the guard.
    pub(super) fn alone(self, uri: &Uri) -> Response {
        self.respond(&AdminContext { now: machine_now(), may_act: false, signed_in: false, said: None }, uri)
    }
}

/// Answers programs with JSON.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let text = format!("{}. {}", self.heading, self.advice);
        (self.status, KEPT_BY_NOBODY, axum::Json(serde_json::json!({ "error": text }))).into_response()
    }
}

impl From<sview_jobs::LedgerError> for Problem {
    fn from(error: sview_jobs::LedgerError) -> Self {
        sview_jobs::Error::from(error).into()
    }
}

impl From<sview_jobs::Error> for Problem {
    fn from(error: sview_jobs::Error) -> Self {
        Self::unavailable(error)
    }
}

impl From<sview_store::Error> for Problem {
    fn from(error: sview_store::Error) -> Self {
        Self::unavailable(error)
    }
}

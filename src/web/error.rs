//! What a caller gets when something is wrong. One policy: a caller's mistake says what was expected; ours says nothing of the
//! inside, and is logged with the request's id. Programs get JSON (`{"error":…}`), people a page.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sview_views::pages::{ErrorPage, error};

use super::limit::Refused;
use super::{App, Negotiated};
use crate::http;
use crate::http::guard::ForeignSite;

/// A request that cannot be answered as asked.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    heading: String,
    expected: Option<String>,
    advice: String,
    /// When to try again.
    after: Option<Duration>,
}

impl Problem {
    /// The caller's mistake (400); `expected` says what would have been right.
    pub(super) fn expected(heading: impl Into<String>, expected: impl ToString) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            heading: heading.into(),
            expected: Some(expected.to_string()),
            advice: "Check the address, or begin at the overview.".to_owned(),
            after: None,
        }
    }

    /// What the framework refused to read, with its status and reason.
    pub(super) fn unreadable(heading: &str, status: StatusCode, reason: String) -> Self {
        Self { status: http::unreadable(status), ..Self::expected(heading, reason) }
    }

    /// Too many computations asked for (429).
    pub(super) fn limited(Refused(after): Refused) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            heading: "Too much was asked for".to_owned(),
            expected: None,
            advice:
                "What is computed for you alone is limited. Try again in a minute; the other pages are not concerned."
                    .to_owned(),
            after: Some(after),
        }
    }

    /// Not allowed (403).
    pub(super) fn forbidden(heading: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            heading: heading.into(),
            expected: None,
            advice: advice.into(),
            after: None,
        }
    }

    /// Another site sent the form (403).
    pub(super) fn foreign(_: ForeignSite) -> Self {
        Self::forbidden(ForeignSite::HEADING, ForeignSite::ADVICE)
    }

    /// An address that leads nowhere (404).
    pub(super) fn not_found() -> Self {
        let page = ErrorPage::not_found();
        Self { status: StatusCode::NOT_FOUND, heading: page.heading, expected: None, advice: page.advice, after: None }
    }

    /// The store or the queues cannot be reached (503). What happened goes to the log, not to the caller.
    pub(super) fn unavailable(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "a request could not be answered");
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            heading: "This cannot be answered at the moment".to_owned(),
            expected: None,
            advice: "The service behind this page does not respond. Try again in a minute.".to_owned(),
            after: None,
        }
    }

    /// A value that nobody has computed yet (503): it is on its way.
    pub(super) fn not_yet() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            heading: "This is not computed yet".to_owned(),
            expected: None,
            advice: "Try again in a few seconds.".to_owned(),
            after: Some(Duration::from_secs(2)),
        }
    }

    /// As a page.
    pub(super) fn page(self, app: &App) -> Response {
        let head = self.head();
        let page = ErrorPage {
            status: self.status.as_u16(),
            heading: self.heading,
            expected: self.expected,
            advice: self.advice,
        };
        let markup = error(&app.context(sview_model::Period::default()), &page);
        (self.status, head, super::html(markup)).into_response()
    }

    /// As JSON.
    pub(super) fn json(self) -> Response {
        let head = self.head();
        let text = match self.expected {
            Some(expected) => format!("{}. Expected: {expected}.", self.heading),
            None => format!("{}. {}", self.heading, self.advice),
        };
        let body = axum::Json(serde_json::json!({ "error": text }));
        (self.status, head, body).into_response()
    }

    /// No error is kept by a cache.
    fn head(&self) -> HeaderMap {
        let mut head = HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
        if let Some(after) = self.after {
            head.insert(header::RETRY_AFTER, HeaderValue::from(after.as_millis().div_ceil(1000) as u64));
        }
        head
    }

    /// As what the caller asked for.
    pub(super) fn respond(self, app: &App, negotiated: Negotiated) -> Response {
        match negotiated {
            Negotiated::Page => self.page(app),
            Negotiated::Json => self.json(),
        }
    }
}

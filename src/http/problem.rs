//! Answers to a request that failed. One policy: a caller's mistake says what was expected. Ours says nothing of the inside, and is logged
//! with the request's id. Programs get JSON (`{"error":…}`), people a page.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sview_views::PageContext;
use sview_views::pages::{ErrorPage, error};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::guard::ForeignSite;
use super::limit::Refused;
use super::{html, unreadable};

/// The form of an error's answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Negotiated {
    /// As a page.
    Page,
    /// As JSON, in the form of [`Error`].
    Json,
}

/// The body of every refusal that programs get.
pub(crate) struct Error;

impl PartialSchema for Error {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let example = json!({"error": "There is no such period: period must be one of 1h, 6h, …"});
        RefOr::T(ObjectBuilder::new().property("error", text).required("error").examples([example]).build().into())
    }
}

impl ToSchema for Error {}

/// Refuses a request of a program with this text. Nobody keeps it.
pub(crate) fn refuse(status: StatusCode, text: &str) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], body(text)).into_response()
}

/// A text in the form of [`Error`].
fn body(text: &str) -> axum::Json<serde_json::Value> {
    axum::Json(json!({ "error": text }))
}

/// A request that cannot be answered as asked.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    heading: String,
    expected: Option<String>,
    advice: String,
    /// The time after which to try again.
    after: Option<Duration>,
}

impl Problem {
    /// The caller's mistake (400); `expected` says what would have been right.
    pub(crate) fn expected(heading: impl Into<String>, expected: impl ToString) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            heading: heading.into(),
            expected: Some(expected.to_string()),
            advice: "Check the address, or begin at the overview.".to_owned(),
            after: None,
        }
    }

    /// An input that the framework refused to read, with its status and reason.
    pub(crate) fn unreadable(heading: &str, status: StatusCode, reason: String) -> Self {
        Self { status: unreadable(status), ..Self::expected(heading, reason) }
    }

    /// Too many computations asked for (429).
    pub(crate) fn limited(Refused(after): Refused) -> Self {
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
    pub(crate) fn forbidden(heading: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            heading: heading.into(),
            expected: None,
            advice: advice.into(),
            after: None,
        }
    }

    /// Another site sent the form (403).
    pub(crate) fn foreign(_: ForeignSite) -> Self {
        Self::forbidden(ForeignSite::HEADING, ForeignSite::ADVICE)
    }

    /// An address that leads nowhere (404).
    pub(crate) fn not_found() -> Self {
        let page = ErrorPage::not_found();
        Self { status: StatusCode::NOT_FOUND, heading: page.heading, expected: None, advice: page.advice, after: None }
    }

    /// The store or the queues cannot be reached (503). The cause goes to the log, not to the caller.
    pub(crate) fn unavailable(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "could not answer a request");
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            heading: "This cannot be answered at the moment".to_owned(),
            expected: None,
            advice: "The service behind this page does not respond. Try again in a minute.".to_owned(),
            after: None,
        }
    }

    /// A value that nobody has computed yet (503): it is on its way.
    pub(crate) fn not_yet() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            heading: "This is not computed yet".to_owned(),
            expected: None,
            advice: "Try again in a few seconds.".to_owned(),
            after: Some(Duration::from_secs(2)),
        }
    }

    /// Returns the answer as a page.
    pub(crate) fn page(self, context: &PageContext<'_>) -> Response {
        let head = self.head();
        let page = ErrorPage {
            status: self.status.as_u16(),
            heading: self.heading,
            expected: self.expected,
            advice: self.advice,
        };
        (self.status, head, html(error(context, &page))).into_response()
    }

    /// Returns the answer as JSON.
    pub(crate) fn json(self) -> Response {
        let head = self.head();
        let text = match self.expected {
            Some(expected) => format!("{}. Expected: {expected}.", self.heading),
            None => format!("{}. {}", self.heading, self.advice),
        };
        (self.status, head, body(&text)).into_response()
    }

    /// No error is kept by a cache.
    fn head(&self) -> HeaderMap {
        let mut head = HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
        if let Some(after) = self.after {
            head.insert(header::RETRY_AFTER, HeaderValue::from(after.as_millis().div_ceil(1000) as u64));
        }
        head
    }

    /// Returns the answer in the form that the caller asked for.
    pub(crate) fn respond(self, context: &PageContext<'_>, negotiated: Negotiated) -> Response {
        match negotiated {
            Negotiated::Page => self.page(context),
            Negotiated::Json => self.json(),
        }
    }
}

//! The operator behind a request, as handlers see it.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use sview_jobs::machine_now;
use sview_views::admin::AdminContext;

use super::Admin;
use super::problem::Problem;

/// The rights of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// Look and act.
    Full,
    /// Look only.
    Read,
}

impl Right {
    /// Its name in cookies and in the log of actions.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Read => "read",
        }
    }
}

/// The operator who sent a request that passed the guard.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    pub(super) right: Right,
    /// The right by which the operator acts, for the log of actions.
    pub(super) who: String,
    /// The operator's address, and that of the trusted proxy in between.
    pub(super) peer: String,
    pub(super) signed_in: bool,
    /// The result of the operator's last action.
    pub(super) said: Option<String>,
    /// The time by the ledger's clock, which stamps the times on pages.
    pub(super) now: DateTime<Utc>,
}

/// How long a page waits for the ledger's time before it goes by this host's.
const PATIENCE: Duration = Duration::from_secs(1);

/// Returns the time by the ledger's clock; by this host's while the ledger does not answer.
pub(super) async fn ledger_now(admin: &Admin) -> DateTime<Utc> {
    match tokio::time::timeout(PATIENCE, admin.services.jobs.queues.ledger().time()).await {
        Ok(Ok(now)) => now,
        Ok(Err(_)) | Err(_) => machine_now(),
    }
}

impl Viewer {
    /// Returns the context of the operator's page.
    pub(super) fn context(&self) -> AdminContext {
        AdminContext {
            now: self.now,
            may_act: self.right == Right::Full,
            signed_in: self.signed_in,
            said: self.said.clone(),
        }
    }
}

impl FromRequestParts<Admin> for Viewer {
    type Rejection = axum::response::Response;

    /// Only the guard makes one: a route that is not behind it answers nobody.
    async fn from_request_parts(parts: &mut Parts, _: &Admin) -> Result<Self, Self::Rejection> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::unauthorized().alone(&parts.uri))
    }
}

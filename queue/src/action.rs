//! The log of what operators did.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What somebody is about to do. Texts are escaped and cut by the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAction {
    /// By which right: the kind of token.
    pub who: String,
    /// From which address, and by way of which trusted proxy.
    pub peer: String,
    /// What, in words.
    pub what: String,
}

/// What somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    /// When, UTC by the ledger's clock.
    pub at: DateTime<Utc>,
    /// By which right: the kind of token.
    pub who: String,
    /// From which address.
    pub peer: String,
    /// What, in words; escaped.
    pub what: String,
}

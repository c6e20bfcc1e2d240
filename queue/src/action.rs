//! The log of operators' actions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// An operator's action that is about to begin. The ledger escapes and cuts its texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAction {
    /// The kind of the operator's token.
    pub who: String,
    /// The operator's address, and that of the trusted proxy in between.
    pub peer: String,
    /// The action, for people.
    pub what: String,
}

/// An operator's action, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    /// The time of the action, UTC by the ledger's clock.
    pub at: DateTime<Utc>,
    /// The kind of the operator's token.
    pub who: String,
    /// The operator's address.
    pub peer: String,
    /// The action, for people; escaped.
    pub what: String,
}

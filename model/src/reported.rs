//! The span of reports behind a value that shows nothing: whether there are reports at all, and of when.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The reports behind a value that is blank. Times are UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The sum of the counts of all reports in the value's span that are about its subject, whatever their labels. It is over zero where
    /// reports lack the label that the value counts by, such as a country.
    pub total: u64,
    /// The time of the oldest report of the value's kind; `None` where there is none. It is a bucket's start where reports are purged.
    pub oldest: Option<DateTime<Utc>>,
    /// The time of the newest report of the kind that is not in the future; `None` where there is none.
    pub newest: Option<DateTime<Utc>>,
}

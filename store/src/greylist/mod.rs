//! The greylist: made from reports ([`Greylist::weigh`]), kept as one list that everybody reads, and a list for
//! every day. The rules are in [`sview_model::greylist`].

mod days;
mod events;
mod keep;
mod weigh;

pub use self::events::IncidentEvent;

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::greylist::Entry;

use crate::Reports;

/// The greylist, made and kept: see [`Reports::greylist`]. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Greylist<'a> {
    pub(crate) reports: &'a Reports,
}

/// The version of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListVersion {
    /// The time that the list is for, UTC.
    pub as_of: DateTime<Utc>,
    /// Grows whenever the list is written: two of the same generation are the same list.
    pub generation: u64,
}

/// A summary of a list, made without reading all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The version of the list.
    pub standing: ListVersion,
    /// How long weighing the reports took; `None` where an older sview made the list.
    pub took: Option<TimeDelta>,
    /// How many IPv4 addresses are on it.
    pub ipv4: u64,
    /// How many IPv6 addresses are on it.
    pub ipv6: u64,
}

/// The list, or a part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The version of the list; `None` before the first was made.
    pub standing: Option<ListVersion>,
    /// Its entries, by the bytes of their addresses' text.
    pub entries: Vec<Entry>,
}

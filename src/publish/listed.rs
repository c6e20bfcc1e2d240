//! The list that there should be, by the clock: pure, and asks neither database nor machine.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, Utc};

/// The greylist as it was read, and when it is to be held against what is published.
pub(super) struct Listed {
    /// The list's generation; `None` where none was made yet.
    generation: Option<u64>,
    /// When each of its addresses leaves it.
    expiries: Vec<(IpAddr, DateTime<Utc>)>,
    /// When what is published is to be held against it: at once, or when the next address leaves.
    due: DateTime<Utc>,
}

impl Listed {
    pub(super) fn new(generation: Option<u64>, expiries: Vec<(IpAddr, DateTime<Utc>)>) -> Self {
        Self { generation, expiries, due: DateTime::<Utc>::MIN_UTC }
    }

    pub(super) fn generation(&self) -> Option<u64> {
        self.generation
    }

    /// What is listed at a moment: an address that stopped leaves the list when its time is over, and not only when it is made anew.
    pub(super) fn at(&self, now: DateTime<Utc>) -> BTreeSet<IpAddr> {
        self.expiries.iter().filter(|(_, expires)| *expires > now).map(|(ip, _)| *ip).collect()
    }

    /// Whether what is published may be another list than [`at`](Self::at) this moment.
    pub(super) fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.due <= now
    }

    /// What is published is the list of this moment.
    pub(super) fn published(&mut self, now: DateTime<Utc>) {
        let next = self.expiries.iter().map(|(_, expires)| *expires).filter(|expires| *expires > now).min();
        self.due = next.unwrap_or(DateTime::<Utc>::MAX_UTC);
    }
}

//! The list that there should be, by the clock: pure, and asks neither database nor machine.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, Utc};

/// The greylist as it was read, and the time of its next comparison with what is published.
pub(super) struct Listed {
    /// The list's generation; `None` where none was made yet.
    generation: Option<u64>,
    /// The time when each of its addresses leaves it.
    expiries: Vec<(IpAddr, DateTime<Utc>)>,
    /// The time of the next comparison with what is published: at once, or when the next address leaves.
    due: DateTime<Utc>,
    /// The time that the published list is for.
    as_of: DateTime<Utc>,
}

impl Listed {
    pub(super) fn new(generation: Option<u64>, expiries: Vec<(IpAddr, DateTime<Utc>)>) -> Self {
        Self { generation, expiries, due: DateTime::<Utc>::MIN_UTC, as_of: DateTime::<Utc>::MIN_UTC }
    }

    pub(super) fn generation(&self) -> Option<u64> {
        self.generation
    }

    /// Returns the listed addresses at a moment. An address leaves the list when its time is over, before the list is made again.
    pub(super) fn at(&self, now: DateTime<Utc>) -> BTreeSet<IpAddr> {
        self.expiries.iter().filter(|(_, expires)| *expires > now).map(|(ip, _)| *ip).collect()
    }

    /// Whether the published list may differ from [`at`](Self::at) at this moment. That is also so after a clock was set back, since too
    /// many addresses had left by the fast clock.
    pub(super) fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.due <= now || now < self.as_of
    }

    /// Notes that the list of this moment is published.
    pub(super) fn published(&mut self, now: DateTime<Utc>) {
        let next = self.expiries.iter().map(|(_, expires)| *expires).filter(|expires| *expires > now).min();
        self.due = next.unwrap_or(DateTime::<Utc>::MAX_UTC);
        self.as_of = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn who_leaves_is_noticed_when_its_time_is_over_and_who_is_back_when_the_clock_is_set_back() {
        let now: DateTime<Utc> = "2026-03-15T12:00:00Z".parse().unwrap();
        let after = |minutes: i64| now + TimeDelta::minutes(minutes);
        let ip = |end: u8| IpAddr::from([192, 0, 2, end]);
        let mut listed = Listed::new(Some(1), vec![(ip(1), after(10)), (ip(2), after(20))]);
        assert!(listed.is_due(now), "what was just read");
        listed.published(now);
        assert!(!listed.is_due(now) && !listed.is_due(after(9)), "nothing changes");
        assert!(listed.is_due(after(10)));
        assert_eq!(listed.at(after(10)), [ip(2)].into());

        // The clock runs two days ahead, and all are over; then it is right again, or nearly.
        listed.published(after(2 * 24 * 60));
        assert!(!listed.is_due(after(2 * 24 * 60 + 1)), "nobody is left to leave");
        assert!(listed.is_due(after(1)), "whoever was removed too early is to be added again");
        assert_eq!(listed.at(after(1)), [ip(1), ip(2)].into());
        listed.published(after(1));
        assert!(!listed.is_due(after(2)), "once is enough");
    }
}

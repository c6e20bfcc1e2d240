//! The newest incident events, for the live feed.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sview_model::{Action, Trap};

use super::Greylist;
use crate::Result;

/// An incident event: one row of reports about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncidentEvent {
    /// The time of the event, UTC.
    pub time: DateTime<Utc>,
    /// The trap that caught it.
    pub trap: Trap,
    /// The attacker's action.
    pub action: Action,
    /// The attacker's address.
    pub ip: IpAddr,
}

impl Greylist<'_> {
    /// The first `most` incidents after a moment, up to and with another, in their order. Found by the index on time.
    pub async fn deeds(self, after: DateTime<Utc>, until: DateTime<Utc>, most: usize) -> Result<Vec<IncidentEvent>> {
        let d = self.reports.engine.dialect();
        let sql = format!(
            "SELECT {}, {}, {}, {} FROM incidents WHERE time > {} AND time <= {} ORDER BY time LIMIT {most}",
            d.text("ip"),
            d.text("trap"),
            d.text("action"),
            d.micros("time"),
            d.time(after.timestamp_micros()),
            d.time(until.timestamp_micros()),
        );
        let rows = self.reports.engine.snapshot().await?.rows(sql, 3, &[]).await?;
        let read = |row: &crate::engine::Row| {
            let ([Some(ip), Some(trap), Some(action)], [time]) = (row.texts.as_slice(), row.ints.as_slice()) else {
                return None;
            };
            Some(IncidentEvent {
                time: DateTime::from_timestamp_micros(*time)?,
                trap: trap.parse().ok()?,
                action: action.parse().ok()?,
                ip: ip.parse::<IpAddr>().ok()?.to_canonical(),
            })
        };
        Ok(rows.iter().filter_map(read).collect())
    }
}

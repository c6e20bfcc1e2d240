//! An overview of the reports: the first, the last, and how many of the latest lack a country.

use chrono::{DateTime, Utc};
use sview_model::{Kind, Precision};

use crate::engine::{Micros, table};
use crate::rollup::{BEGINNING, first};
use crate::{Reports, Result};

/// The highest number of latest incidents that are checked for countries.
const LATEST: u32 = 10_000;

/// The times of the first and last reports, and missing countries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overview {
    /// The time of the oldest report, UTC.
    pub oldest: DateTime<Utc>,
    /// The time of the newest report, UTC.
    pub newest: DateTime<Utc>,
    /// How many of the latest incidents were looked at: all of them, or 10,000.
    pub incidents: u64,
    /// How many of these have no country.
    pub without_country: u64,
}

impl Reports {
    /// Returns from when to when there are reports, of all kinds, before `until`; `None` when there are none.
    ///
    /// Reports that retention has deleted do not count.
    pub async fn overview(&self, until: DateTime<Utc>) -> Result<Option<Overview>> {
        let d = self.engine.dialect();
        let mut tx = self.engine.snapshot().await?;
        let within = format!("time >= {} AND time < {}", d.time(BEGINNING), d.time(until.timestamp_micros()));
        let (mut oldest, mut newest): (Option<Micros>, Option<Micros>) = (None, None);
        for kind in Kind::ALL {
            let table = table(*kind, Precision::Native);
            // Each by itself: so each is one look into the index.
            let mut ends = [None; 2];
            for (end, found) in ["min(time)", "max(time)"].iter().zip(&mut ends) {
                *found = first(&mut *tx, format!("SELECT {} FROM {table} WHERE {within}", d.micros(end))).await?;
            }
            oldest = oldest.into_iter().chain(ends[0]).min();
            newest = newest.max(ends[1]);
        }
        let moment = |at: Option<Micros>| at.and_then(DateTime::from_timestamp_micros);
        let (Some(oldest), Some(newest)) = (moment(oldest), moment(newest)) else { return Ok(None) };
        let sql = format!(
            "SELECT count(*), count(country) FROM (SELECT country FROM {} WHERE {within} ORDER BY time DESC LIMIT {LATEST}) AS latest",
            table(Kind::Incidents, Precision::Native)
        );
        let rows = tx.ints(sql).await?;
        let count = |i: usize| rows.first().and_then(|row| u64::try_from((*row.get(i)?)?).ok()).unwrap_or(0);
        Ok(Some(Overview { oldest, newest, incidents: count(0), without_country: count(0) - count(1) }))
    }
}

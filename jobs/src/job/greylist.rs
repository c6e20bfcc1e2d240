//! The job that updates the greylist: the list that everybody reads, the lists of missing days, and the files.

use std::path::PathBuf;
use std::sync::Arc;

use apalis::prelude::Data;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sview_model::greylist::{Entry, HORIZON, Rules, Stamp, csv_rows};
use sview_model::{Clock, Queue};
use sview_store::Reports;

use super::{Job, JobError};
use crate::greylist_files as files;

/// Updates the greylist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeGreylist {}

/// The sources of the greylist, and where it goes.
#[derive(Clone, Debug)]
pub struct Greylisting {
    /// The reports, and the list.
    pub reports: Reports,
    /// The operator's settings.
    pub settings: Arc<GreylistSettings>,
}

/// The operator's settings of the greylist.
#[derive(Clone, Debug, Default)]
pub struct GreylistSettings {
    /// The rules with the addresses that are never listed.
    pub rules: Rules,
    /// Under which terms the list may be used: lines of a file of their own.
    pub terms: String,
    /// The location of that file, for the comment of each list: see [`Stamp::license`].
    pub license: String,
    /// The directory for the files, besides the list in the database. `None` writes no files.
    pub directory: Option<PathBuf>,
    /// For how many days the lists of days are kept; 0: for good.
    pub keep_days: u32,
}

impl Job for MakeGreylist {
    const NAME: &'static str = "greylist";

    fn queue(&self) -> Queue {
        Queue::QuickCache
    }

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    fn words(&self) -> String {
        "making the greylist".to_owned()
    }
}

/// Makes the list.
pub(super) async fn handle(_: MakeGreylist, greylist: Data<Greylisting>, clock: Data<Clock>) -> Result<(), JobError> {
    make_greylist(&greylist, clock.now()).await
}

/// Makes the list as of `now` and keeps it, makes the lists of missing days, and writes the files. Finished steps are not repeated, so it
/// may be stopped anywhere and called again.
pub async fn make_greylist(greylisting: &Greylisting, now: DateTime<Utc>) -> Result<(), JobError> {
    let Greylisting { reports, settings } = greylisting;
    let begun = std::time::Instant::now();
    let entries = reports.greylist().weigh(&settings.rules, now).await?;
    if reports.greylist().keep(now, begun.elapsed(), &entries).await? {
        tracing::debug!(addresses = entries.len(), "made the greylist");
    }
    for day in missing(&reports.greylist().days().await?, now) {
        make_day(greylisting, day, now).await?;
    }
    if settings.keep_days > 0 {
        reports.greylist().forget_days(settings.keep_days, now).await?;
    }
    if let Some(directory) = &settings.directory {
        // The kept list may be newer: a worker that was held up must not take the files back.
        let listed = reports.greylist().listed().await?;
        let as_of = listed.standing.map_or(now, |standing| standing.as_of);
        let stamp = Stamp { as_of, license: settings.license.clone() };
        files::write_latest(directory.clone(), stamp, settings.terms.clone(), listed.entries).await?;
        let days = reports.greylist().days().await?;
        for day in files::missing(directory.clone(), days.into_iter().map(|(day, _)| day).collect()).await? {
            if let Some(body) = reports.greylist().day(day).await? {
                files::write_day(directory.clone(), day, settings.license.clone(), body).await?;
            }
        }
    }
    Ok(())
}

/// Makes the list of a day as of its midnight. However late that is done, it is made of the same reports, and those that came late.
async fn make_day(greylisting: &Greylisting, day: NaiveDate, now: DateTime<Utc>) -> Result<(), JobError> {
    let Greylisting { reports, settings } = greylisting;
    let midnight = day.and_time(NaiveTime::MIN).and_utc();
    let entries: Vec<Entry> = reports.greylist().weigh(&settings.rules, midnight).await?;
    if reports.greylist().keep_day(day, entries.len(), &csv_rows(&entries), now).await? {
        tracing::info!(%day, addresses = entries.len(), "made the greylist of the day");
    }
    Ok(())
}

/// Returns the days that need a list: today, and those missed since the last one. It looks back as far as reports count.
fn missing(days: &[(NaiveDate, u64)], now: DateTime<Utc>) -> Vec<NaiveDate> {
    let today = now.date_naive();
    let last = days.iter().map(|(day, _)| *day).filter(|day| *day <= today).max();
    let from = last.map_or(today, |last| last + TimeDelta::days(1)).max(today - TimeDelta::days(HORIZON));
    from.iter_days().take_while(|day| *day <= today).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_days_are_made_up_as_far_back_as_reports_count() {
        let now: DateTime<Utc> = "2026-03-15T12:34:56Z".parse().unwrap();
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(missing(&[], now), [day("2026-03-15")], "the first");
        assert_eq!(missing(&[(day("2026-03-15"), 1)], now), []);
        assert_eq!(missing(&[(day("2026-03-12"), 1)], now), [day("2026-03-13"), day("2026-03-14"), day("2026-03-15")]);
        assert_eq!(missing(&[(day("2025-03-12"), 1)], now).first(), Some(&day("2026-03-01")), "a year of silence");
        assert_eq!(
            missing(&[(day("2027-01-01"), 1), (day("2026-03-14"), 1)], now),
            [day("2026-03-15")],
            "a clock set back"
        );
    }
}

//! The last message of an ingest: the reports in the store, its location, and the next command.

use std::fmt;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{Period, counted, grouped};
use sview_store::{Overview, Reports};

use super::super::{output, units};
use crate::config::{DEFAULT_DATA_DIR, Places};

/// The last message of an ingest.
pub(super) struct Last<'a> {
    places: &'a Places,
    /// The location of the store, without secrets.
    place: String,
    now: DateTime<Utc>,
    overview: Option<Overview>,
}

impl<'a> Last<'a> {
    /// Reads the overview of the store.
    pub(super) async fn of(reports: &Reports, places: &'a Places, now: DateTime<Utc>) -> sview_store::Result<Self> {
        // No report is accepted that is later than this.
        let overview = reports.overview(now + TimeDelta::days(2)).await?;
        Ok(Self { places, place: reports.place(), now, overview })
    }
}

impl fmt::Display for Last<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = sview_jobs::sanitise_line(&self.place, 500);
        let Some(overview) = self.overview else { return write!(f, "There are no reports in {place}.") };
        let (oldest, newest) = (units::moment(overview.oldest), units::moment(overview.newest));
        writeln!(f, "Reports in {place}: {oldest} to {newest} UTC")?;
        if overview.without_country > 0 {
            let (without, of) = (grouped(overview.without_country), counted(overview.incidents, "incident"));
            writeln!(
                f,
                "Without a country: {without} of the latest {of}. To add countries: sview geoip --geoip-db FILE"
            )?;
        }
        let mut next = "sview up".to_owned();
        if self.places.data_dir != Path::new(DEFAULT_DATA_DIR) {
            next += &format!(" --data-dir {}", quoted(&output::name(&self.places.data_dir)));
        }
        if self.now - overview.newest > Period::Year.scale().range {
            // All pages would be empty.
            let after = overview.newest + TimeDelta::days(1);
            next += &format!(" --now {}", after.format("%Y-%m-%dT00:00:00Z"));
        }
        let settings = if self.places.database_url.is_some() { ", with the same settings" } else { "" };
        write!(f, "Next: {next}{settings}")
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_one_word_for_a_shell() {
        assert_eq!(quoted("/var/lib/sview"), "/var/lib/sview");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}

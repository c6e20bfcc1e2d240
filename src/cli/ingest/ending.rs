//! The last words of an ingest: what there is now, where it is, and what to do next.

use std::fmt;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use sview_feed::{counted, grouped};
use sview_model::Period;
use sview_store::{Overview, Reports};

use super::super::{output, units};
use crate::config::{DEFAULT_DATA_DIR, Places};

/// What there is after an ingest.
pub(super) struct Last<'a> {
    places: &'a Places,
    now: DateTime<Utc>,
    overview: Option<Overview>,
}

impl<'a> Last<'a> {
    /// Looks at what there is.
    pub(super) async fn of(reports: &Reports, places: &'a Places, now: DateTime<Utc>) -> sview_store::Result<Self> {
        // No report is accepted that is later than this.
        let overview = reports.overview(now + TimeDelta::days(2)).await?;
        Ok(Self { places, now, overview })
    }
}

impl fmt::Display for Last<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.places.database_url {
            Some(url) => output::name(Path::new(&without_secrets(url))),
            None => output::name(&self.places.data_dir),
        };
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

/// The address of a database without user, password and parameters, whatever characters are in them.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let place = rest.rsplit('@').next().filter(|_| scheme != "sqlite").unwrap_or(rest);
    format!("{scheme}://{}", place.split('?').next().unwrap_or_default())
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
    fn the_address_of_a_database_shows_no_secret() {
        let shown = |url| without_secrets(url);
        assert_eq!(shown("postgres://sview:s/e@c?ret@db:5432/sentinel?sslmode=disable"), "postgres://db:5432/sentinel");
        assert_eq!(shown("postgres:///sentinel?password=secret"), "postgres:///sentinel");
        assert_eq!(shown("sqlite:///data/a@b.sqlite"), "sqlite:///data/a@b.sqlite");
    }

    #[test]
    fn a_directory_is_one_word_for_a_shell() {
        assert_eq!(quoted("/var/lib/sview"), "/var/lib/sview");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}

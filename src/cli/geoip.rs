//! `sview geoip`: countries for incidents that were stored without one.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use chrono::TimeDelta;
use indicatif::ProgressBar;
use serde::Serialize;
use sview_feed::GeoIp;
use sview_model::{CountryCode, counted};
use sview_store::CountryCursor;

use super::{Settings, action, output, progress};
use crate::{Missing, Services};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview geoip --geoip-db package/geo-whois-asn-country.mmdb
  sview geoip --geoip-db GeoLite2-Country.mmdb -d      say what would change

Looks up the address of every incident without a country. Writes the country to the reports and to everything that was \
aggregated from them, also where retention has deleted the reports. An existing country is never changed.

Pages of an hour to a day follow within two minutes. Pages of a week to a year follow when their values are due; `sview \
refresh` makes them due at once.

A transaction takes 20,000 addresses of a day, oldest first. The command may run beside everything else. It may be \
interrupted and repeated; nothing counts twice. `sview ingest --geoip-db` adds countries while it reads.

The database is a file in MaxMind's format (.mmdb) with a country for each network. A free one to begin with, without an \
account:
  npm pack @ip-location-db/geo-whois-asn-country-mmdb
  tar -xzf ip-location-db-geo-whois-asn-country-mmdb-*.tgz     the file is package/geo-whois-asn-country.mmdb

This file is CC0, made from data of the NRO (CC BY 4.0). Its makers say that the package has wrong entries and is no longer \
updated, so use it for a first look. package/README.md names current sources. GeoLite2 and DB-IP Country or City, IPinfo \
Lite and Country + ASN, IP2Location and IPLocate work too.

JSON: {dry_run, reports, buckets, addresses, unknown}. reports and buckets count what got a country. addresses counts each \
address once a day; unknown counts those that the database does not have.

Exit code: 0; 1 when something failed; 2 when the command line is wrong.")]
pub struct Args {
    /// Database in MaxMind's format (of MaxMind, DB-IP, ip-location-db, IPinfo, IPLocate or others)
    #[arg(long, value_name = "FILE")]
    geoip_db: PathBuf,
    /// Change nothing; say what would change. Takes as long
    #[arg(short, long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Default, Serialize)]
struct Document {
    dry_run: bool,
    reports: u64,
    buckets: u64,
    addresses: u64,
    unknown: u64,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let path = args.geoip_db.clone();
    let geoip = Arc::new(tokio::task::spawn_blocking(move || GeoIp::open(&path)).await??);
    let services = Services::open_for(&settings.places, 0, Missing::Refuse).await?;
    if !args.dry_run {
        let what = format!("geoip: countries by {}", output::name(&args.geoip_db));
        action::note(&services.jobs.queues, what).await?;
    }
    // No report is accepted that is later than this.
    let until = services.jobs.clock.now() + TimeDelta::days(2);
    let mut document = Document { dry_run: args.dry_run, ..Document::default() };
    let mut cursor = CountryCursor::default();
    let bar = ProgressBar::with_draw_target(None, progress::terminal());
    while let Some(found) = services.reports.rollup().without_country(&cursor, until).await? {
        bar.set_message(found.day.start.format("%Y-%m-%d").to_string());
        document.addresses += found.addresses.len() as u64;
        let (geoip, addresses) = (Arc::clone(&geoip), found.addresses);
        let asked = addresses.len();
        let countries = tokio::task::spawn_blocking(move || look_up(&geoip, addresses)).await?;
        document.unknown += (asked - countries.len()) as u64;
        if !countries.is_empty() {
            let added = services.reports.rollup().add_countries(found.day, &countries, args.dry_run).await?;
            document.reports += added.reports;
            document.buckets += added.buckets;
        }
        cursor = found.next;
        bar.tick();
    }
    bar.finish_and_clear();
    if args.json {
        output::json(&document)?;
    } else {
        output::line(document);
    }
    Ok(ExitCode::SUCCESS)
}

/// The addresses whose country is known, with it.
fn look_up(geoip: &GeoIp, addresses: Vec<String>) -> Vec<(String, CountryCode)> {
    let known = |address: String| Some((geoip.country(address.parse().ok()?)?, address));
    addresses.into_iter().filter_map(known).map(|(country, address)| (address, country)).collect()
}

impl std::fmt::Display for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.addresses == 0 {
            return f.write_str("Every incident has a country.");
        }
        let (reports, buckets) = (counted(self.reports, "report"), counted(self.buckets, "bucket"));
        let become_so = if self.dry_run { "would get" } else { "got" };
        write!(f, "{reports} and the rows of {buckets} {become_so} a country.")?;
        if self.unknown > 0 {
            let addresses = counted(self.unknown, "address");
            write!(f, "\nNot in the database: {addresses}, each counted once a day. They stay without a country.")?;
        }
        Ok(())
    }
}

//! `sview greylist`: prints the greylist, or why an address is on it.

use std::net::IpAddr;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sview_jobs::{JobError, make_greylist};
use sview_model::counted;
use sview_model::greylist::{Entry, Evidence, Form, Points, Stamp, THRESHOLD};

use super::table::{Cell, Table};
use super::{Settings, arguments, output, store, units};
use crate::Services;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview greylist --format ipset | ipset restore
  sview greylist --why ADDRESS
  sview greylist --make --json

Prints the list that pages and files show. With --why it explains one address from its reports instead: what it did, its \
score, and when its entry expires if it stops now.

Forms:
  csv    the published format
  txt    an address a line; ipv4 and ipv6 are the same for one family
  jsonl  a JSON object a line
  ipset  for ipset restore
  nft    for nft -f

JSON: {as_of, addresses: [{ip, score, first_seen, last_seen, expires, tags, probes, evidence}]}. With --why: {ip, as_of, \
listed, score, threshold, least, expires, never, probes, evidence: [{trap, action, first, last, count}]}. least is the \
lowest score on a full list, and null while there is room.

Exit code: 0; 1 when there is no list yet, when the database cannot be read, or, with --why, when the address is not listed; \
2 when the command line is wrong.")]
pub struct Args {
    /// Form of the output
    #[arg(long, value_name = "FORM", value_parser = arguments::form(), default_value = "csv", conflicts_with = "json")]
    format: Form,
    /// Explain why this address is listed, or why not
    #[arg(long, value_name = "ADDRESS", conflicts_with = "format")]
    why: Option<IpAddr>,
    /// Make the list again first, as the schedule does every quarter of an hour
    #[arg(long)]
    make: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    as_of: DateTime<Utc>,
    addresses: Vec<Entry>,
}

#[derive(Serialize)]
struct Why {
    ip: IpAddr,
    as_of: DateTime<Utc>,
    listed: bool,
    score: Points,
    threshold: Points,
    least: Option<Points>,
    expires: Option<DateTime<Utc>>,
    never: Option<String>,
    probes: u64,
    evidence: Vec<Evidence>,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let services = store::existing(settings).await?;
    let now = services.jobs.clock.now();
    if args.make {
        let made = make_greylist(&services.jobs.greylist, now).await;
        if let Err(JobError::Passing(error) | JobError::Final(error)) = made {
            anyhow::bail!(error);
        }
    }
    if let Some(ip) = args.why {
        return why(&services, ip.to_canonical(), now, args.json).await;
    }
    let listed = services.reports.greylist().listed().await?;
    let Some(standing) = listed.standing else {
        output::note("There is no greylist yet: run a worker and a scheduler, or give --make.");
        return Ok(ExitCode::FAILURE);
    };
    if args.json {
        output::json(&Document { as_of: standing.as_of, addresses: listed.entries })?;
    } else {
        let stamp = Stamp { as_of: standing.as_of, license: settings.places.greylist.license() };
        let text = args.format.write(&stamp, &listed.entries);
        if !text.is_empty() {
            output::line(text.trim_end_matches('\n'));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn why(services: &Services, ip: IpAddr, now: DateTime<Utc>, json: bool) -> anyhow::Result<ExitCode> {
    let never = services.jobs.greylist.settings.rules.never(ip);
    let history = services.reports.greylist().history(ip, now).await?;
    let entry = Entry::of(ip, &history, now);
    let least = services.reports.greylist().least().await?;
    // Only the full list itself knows which of many equal addresses was left out.
    let room = least.is_none() || !services.reports.greylist().entry(ip).await?.entries.is_empty();
    let listed = never.is_none() && entry.is_some() && room;
    let score = history.score(now);
    let why = Why {
        ip,
        as_of: now,
        listed,
        score: entry.as_ref().map_or((score * 10.0).floor() / 10.0, |entry| entry.score),
        threshold: THRESHOLD,
        least,
        expires: entry.filter(|_| listed).map(|entry| entry.expires),
        never: never.map(sview_model::greylist::Never::reason),
        probes: history.probes,
        evidence: history.evidence,
    };
    let code = if listed { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if json {
        output::json(&why)?;
        return Ok(code);
    }
    let mut table = Table::new(&["trap", "action", "first", "last", "count"]);
    for did in &why.evidence {
        table.row([
            Cell::plain(did.trap.term().name),
            Cell::plain(did.action.term().name),
            Cell::plain(units::moment(did.first)),
            Cell::plain(units::moment(did.last)),
            Cell::plain(did.count).right(),
        ]);
    }
    table.print();
    let Why { score, probes, .. } = why;
    output::line(match (&why.never, why.expires) {
        (Some(reason), _) => format!("{ip} is never listed: {reason}"),
        (None, Some(expires)) => format!(
            "{ip} is listed: {score} points, reported by {}; if it stops now it leaves the list at {}",
            counted(probes, "probe"),
            units::moment(expires)
        ),
        (None, None) => {
            let full = least.map_or("", |_| ", for the list is full");
            format!("{ip} is not listed: {score} points, and {} are needed{full}", least.unwrap_or(THRESHOLD))
        }
    });
    Ok(code)
}

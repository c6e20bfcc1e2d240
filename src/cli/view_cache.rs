//! `sview view-cache`: lists the cached values, and the precached resources that lack one.

use std::collections::HashSet;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sview_model::{Request, counted};

use super::table::{Cell, Table, Tone};
use super::{Settings, output, store, units};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview view-cache
  sview view-cache --json

Lists every cached value: its size, its age, when it is due again, and how long it is kept. Precached values that are \
missing come last; a refresh makes them once their aggregations are done. A value that is due is still served, with its age, \
until the next one is there.

JSON: {now, bytes, cached: [{key, bytes, computed_at, age_seconds, refresh_at, stale, ttl_seconds}], missing: [KEY…]}.

Exit code: 0; 1 when the cache cannot be read; 2 when the command line is wrong.")]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    now: DateTime<Utc>,
    bytes: u64,
    cached: Vec<Value>,
    missing: Vec<String>,
}

#[derive(Serialize)]
struct Value {
    key: String,
    bytes: u64,
    computed_at: DateTime<Utc>,
    age_seconds: i64,
    refresh_at: DateTime<Utc>,
    stale: bool,
    ttl_seconds: u64,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let services = store::existing(settings).await?;
    let (now, entries) = (services.jobs.clock.now(), services.jobs.cache.list().await?);
    let keys: HashSet<&str> = entries.iter().map(|e| e.key.as_str()).collect();
    let precached: Vec<String> = Request::precached().map(|r| r.key().to_string()).collect();
    let missing: Vec<String> = precached.into_iter().filter(|key| !keys.contains(key.as_str())).collect();
    let bytes = entries.iter().map(|e| e.bytes).sum();
    if args.json {
        let value = |e: &sview_store::EntryInfo| Value {
            key: e.key.clone(),
            bytes: e.bytes,
            computed_at: e.computed_at,
            age_seconds: (now - e.computed_at).num_seconds(),
            refresh_at: e.refresh_at,
            stale: e.refresh_at <= now,
            ttl_seconds: e.ttl.as_secs(),
        };
        output::json(&Document { now, bytes, cached: entries.iter().map(value).collect(), missing })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["key", "size", "age", "kept for", "due at"]);
    for entry in &entries {
        let ttl = chrono::TimeDelta::from_std(entry.ttl).unwrap_or(chrono::TimeDelta::MAX);
        table.row([
            Cell::plain(&entry.key),
            Cell::plain(units::bytes(entry.bytes)).right(),
            Cell::plain(units::span(now - entry.computed_at)).right(),
            Cell::plain(units::span(ttl)).right(),
            if entry.refresh_at <= now {
                Cell::new(Tone::Notable, "is due")
            } else {
                Cell::plain(units::moment(entry.refresh_at))
            },
        ]);
    }
    for key in &missing {
        table.row([
            Cell::plain(key),
            Cell::plain("").right(),
            Cell::plain("").right(),
            Cell::plain("").right(),
            Cell::new(Tone::Bad, "missing"),
        ]);
    }
    table.print();
    output::line(format!(
        "{} cached, {}; {} of {} precached values {} missing",
        counted(entries.len() as u64, "value"),
        units::bytes(bytes),
        missing.len(),
        Request::precached().count(),
        if missing.len() == 1 { "is" } else { "are" }
    ));
    Ok(ExitCode::SUCCESS)
}

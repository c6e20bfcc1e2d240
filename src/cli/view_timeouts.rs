//! `sview view-timeouts`: when every aggregation and every cached value is due next.

use std::collections::HashSet;
use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sview_jobs::{Cause, Suggestion, Work, refresh};
use sview_model::{Request, counted};

use super::suggestions;
use super::table::{Cell, Table, Tone};
use super::{Settings, output, store, units};
use crate::Services;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview view-timeouts
  sview view-timeouts --overdue     only what is due already

Lists when every aggregation and every cached value is due. An aggregation is due when a bucket after its watermark has \
ended, or when late reports are pending. A value carries the time of its next computation itself. The verdict says what the \
next refresh does, or why it does nothing.

JSON: {now, aggregations: [{kind, precision, aggregated_to, pending, due_at, overdue, verdict}], values: [{key, cached, \
due_at, overdue, overdue_seconds}]}. due_at is null for what was never made; that is always overdue.

Exit code: 0, also when something is overdue; 1 when something cannot be read; 2 when the command line is wrong.")]
pub struct Args {
    /// List only what is due already
    #[arg(long)]
    overdue: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    now: DateTime<Utc>,
    aggregations: Vec<Aggregation>,
    values: Vec<Value>,
}

#[derive(Serialize)]
struct Aggregation {
    kind: &'static str,
    precision: &'static str,
    aggregated_to: Option<DateTime<Utc>>,
    pending: u64,
    due_at: Option<DateTime<Utc>>,
    overdue: bool,
    verdict: String,
    #[serde(skip)]
    tone: Tone,
}

#[derive(Serialize)]
struct Value {
    key: String,
    cached: bool,
    due_at: Option<DateTime<Utc>>,
    overdue: bool,
    overdue_seconds: Option<i64>,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let services = store::existing(settings).await?;
    let now = services.jobs.clock.now();
    // A dry run: nothing is queued, so nothing is caused.
    let suggestions = refresh(&services.jobs, now, &Cause::Command("view-timeouts"), true).await?;
    let mut aggregations = aggregations(&services, &suggestions, now).await?;
    let mut values = values(&services, now).await?;
    if args.overdue {
        aggregations.retain(|a| a.overdue);
        values.retain(|v| v.overdue);
    }
    if args.json {
        output::json(&Document { now, aggregations, values })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["aggregation", "aggregated to", "pending", "due at", "verdict"]);
    for a in &aggregations {
        table.row([
            Cell::plain(format!("{}/{}", a.kind, a.precision)),
            Cell::plain(a.aggregated_to.map_or_else(|| "never".to_owned(), units::moment)),
            Cell::new(if a.pending > 0 { Tone::Notable } else { Tone::Plain }, a.pending).right(),
            due(a.due_at, a.overdue, now),
            Cell::new(a.tone, &a.verdict),
        ]);
    }
    table.print();
    let mut table = Table::new(&["value", "due at"]);
    for v in &values {
        table.row([Cell::plain(&v.key), due(v.due_at, v.overdue, now)]);
    }
    table.print();
    let overdue = aggregations.iter().filter(|a| a.overdue).count();
    let (aggregations, values) = (overdue as u64, values.iter().filter(|v| v.overdue).count() as u64);
    let verb = if aggregations + values == 1 { "is" } else { "are" };
    let (first, second) = (counted(aggregations, "aggregation"), counted(values, "value"));
    output::line(format!("{first} and {second} {verb} due"));
    Ok(ExitCode::SUCCESS)
}

fn due(at: Option<DateTime<Utc>>, overdue: bool, now: DateTime<Utc>) -> Cell {
    match at {
        None => Cell::new(Tone::Notable, "now, never made"),
        // A refresh time that was cleared is no moment.
        Some(at) if at == DateTime::UNIX_EPOCH => Cell::new(Tone::Notable, "now, by command"),
        Some(at) if overdue => Cell::new(Tone::Notable, format!("now, for {}", units::span(now - at))),
        Some(at) => Cell::plain(units::moment(at)),
    }
}

async fn aggregations(
    services: &Services,
    suggestions: &[Suggestion],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Aggregation>> {
    let coverage = services.reports.rollup().coverage().await?;
    let all = coverage.iter().map(|c| {
        let found = suggestions
            .iter()
            .find(|s| matches!(&s.work, Work::Aggregate(job) if job.kind == c.kind && job.precision == c.precision));
        let due_at = c.watermark.map(|at| at + c.precision.width() + c.precision.delay());
        Aggregation {
            kind: c.kind.as_str(),
            precision: c.precision.as_str(),
            aggregated_to: c.watermark,
            pending: c.pending,
            // Late reports are due to be counted at once.
            due_at: if c.pending > 0 { due_at.map(|at| at.min(now)) } else { due_at },
            overdue: c.pending > 0 || due_at.is_none_or(|at| at <= now),
            verdict: found.map_or_else(String::new, |s| s.verdict.to_string()),
            tone: found.map_or(Tone::Plain, |s| suggestions::tone(&s.verdict)),
        }
    });
    Ok(all.collect())
}

/// Returns every value that is cached or should be, those due first before the others.
async fn values(services: &Services, now: DateTime<Utc>) -> anyhow::Result<Vec<Value>> {
    let entries = services.jobs.cache.list().await?;
    let known: HashSet<&str> = entries.iter().map(|e| e.key.as_str()).collect();
    let precached = Request::precached().map(|request| request.key().to_string());
    let missing = precached.filter(|key| !known.contains(key.as_str())).map(|key| Value {
        key,
        cached: false,
        due_at: None,
        overdue: true,
        overdue_seconds: None,
    });
    let cached = entries.iter().map(|e| Value {
        key: e.key.clone(),
        cached: true,
        due_at: Some(e.refresh_at),
        overdue: e.refresh_at <= now,
        overdue_seconds: (e.refresh_at <= now && e.refresh_at > DateTime::UNIX_EPOCH + TimeDelta::days(1))
            .then(|| (now - e.refresh_at).num_seconds()),
    });
    let mut all: Vec<Value> = missing.chain(cached).collect();
    all.sort_by(|a, b| (a.due_at, &a.key).cmp(&(b.due_at, &b.key)));
    Ok(all)
}

//! `sview clear-timeouts`: makes values and jobs due at once that are not due, or are held off after a failure.

use std::process::ExitCode;

use serde::Serialize;
use sview_jobs::{Aggregate, CacheGroup, Job as _, Queues};
use sview_model::{Kind, Period, Precision, counted};

use super::{Settings, action, arguments, output, store};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Suggest failed aggregations again at once
    #[command(after_help = "\
Examples:
  sview clear-timeouts aggregation quarterly && sview aggregate-period quarterly
  sview clear-timeouts aggregation daily -d     say which failures would be deleted

An aggregation whose job is dead is suggested again ten minutes later. This command deletes the record of such failures at a \
precision, for all kinds of reports, so that the next refresh suggests them at once. It can make nothing count twice: what \
an aggregation covers comes from its watermark. Values are not touched.

JSON: {dry_run, values, failures, keys: [KEY…]}. values is 0, failures counts what was deleted, and keys names the jobs.

Exit code: 0; 1 when the queues cannot be reached; 2 when the command line is wrong.")]
    Aggregation {
        /// Precision of the buckets
        #[arg(value_name = "PRECISION", value_parser = arguments::precision())]
        precision: Precision,
        #[command(flatten)]
        how: How,
    },
    /// Make every cached value of a period due at once
    #[command(after_help = "\
Examples:
  sview clear-timeouts resource 1w && sview cache-period 1w
  sview clear-timeouts resource 1h -d     say which values would be due

The values stay on the pages until the next ones are there; the next refresh queues their computation. The records of their \
failed jobs, which would delay that by ten minutes, are deleted too. Aggregations are not touched.

JSON: {dry_run, values, failures, keys: [KEY…]}. values and failures count what became due or was deleted, and keys names \
the values and the failed jobs.

Exit code: 0; 1 when the cache or the queues cannot be reached; 2 when the command line is wrong.")]
    Resource {
        /// Period of the values
        #[arg(value_name = "PERIOD", value_parser = arguments::period())]
        period: Period,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub struct How {
    /// Change nothing; say what would be cleared
    #[arg(short, long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Default, Serialize)]
struct Document {
    dry_run: bool,
    values: u64,
    failures: u64,
    keys: Vec<String>,
}

pub(super) async fn run(settings: &Settings, command: &Command) -> anyhow::Result<ExitCode> {
    let services = store::existing(settings).await?;
    let (queues, cache) = (&services.jobs.queues, &services.jobs.cache);
    let (how, done) = match command {
        Command::Aggregation { precision, how } => {
            note(queues, *how, format!("clear-timeouts aggregation {precision}")).await?;
            let keys = Kind::ALL.iter().map(|kind| Aggregate { kind: *kind, precision: *precision }.key());
            (how, forget(queues, keys.collect(), *how).await?)
        }
        Command::Resource { period, how } => {
            note(queues, *how, format!("clear-timeouts resource {period}")).await?;
            let keys = Kind::ALL.iter().map(|kind| CacheGroup { kind: *kind, period: *period }.key());
            let mut done = forget(queues, keys.collect(), *how).await?;
            let entries = cache.list().await?;
            let of_period = entries.into_iter().map(|e| e.key).filter(|key| is_of(key, *period));
            let values: Vec<String> = of_period.collect();
            done.values = if how.dry_run { values.len() as u64 } else { cache.clear_refresh_times(*period).await? };
            done.keys.extend(values);
            (how, done)
        }
    };
    if how.json {
        output::json(&done)?;
        return Ok(ExitCode::SUCCESS);
    }
    if how.dry_run {
        // Keys hold words of the catalogue, periods, addresses and hex digits only.
        done.keys.iter().for_each(output::line);
    }
    let told = |n: u64, thing: &str, done: &str| {
        let verb = match (how.dry_run, n) {
            (true, _) => "would be",
            (false, 1) => "is",
            (false, _) => "are",
        };
        output::line(format!("{} {verb} {done}", counted(n, thing)));
    };
    if matches!(command, Command::Resource { .. }) {
        told(done.values, "value", "due");
    }
    told(done.failures, "failure", "forgotten");
    Ok(ExitCode::SUCCESS)
}

/// Deletes the records of these jobs' failures, or only finds them.
async fn note(queues: &Queues, how: How, what: String) -> anyhow::Result<()> {
    if how.dry_run { Ok(()) } else { action::note(queues, what).await }
}

async fn forget(queues: &Queues, keys: Vec<String>, how: How) -> anyhow::Result<Document> {
    let standing = queues.ledger().standing(&keys).await?;
    let failed = keys.into_iter().zip(standing).filter(|(_, standing)| standing.failed_at.is_some());
    let keys: Vec<String> = failed.map(|(key, _)| key).collect();
    let failures = if how.dry_run { keys.len() as u64 } else { queues.ledger().forget_failures(&keys).await? };
    Ok(Document { dry_run: how.dry_run, values: 0, failures, keys })
}

/// Whether a cache key is of a period: its second part.
fn is_of(key: &str, period: Period) -> bool {
    key.split(':').nth(1) == Some(period.as_str())
}

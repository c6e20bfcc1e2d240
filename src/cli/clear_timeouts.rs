//! `sview clear-timeouts`: what is not due, or is held off after a failure, becomes due at once.

use std::process::ExitCode;

use serde::Serialize;
use sview_jobs::{Aggregate, CacheGroup, Job as _, Queues};
use sview_model::{Kind, Period, Precision, counted};

use super::{Settings, action, arguments, output, store};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Forget failed aggregations, so that they are suggested again at once
    #[command(after_help = "\
There is no time to be cleared that could make an aggregation run too early or twice: what it covers comes from its watermark, and
every report counts exactly once, whenever it runs. What holds it off is a failure only: an aggregation whose job died is suggested
again ten minutes later. This forgets the failures of a precision, of all kinds of reports. Values are not touched.

Examples:
  sview clear-timeouts aggregation quarterly && sview aggregate-period quarterly
  sview clear-timeouts aggregation daily -d     say which failures would be forgotten

JSON: {dry_run, values, failures, keys: [KEY…]}, where values is 0, failures is how many were forgotten, and keys names their jobs.

Exit code: 0; 1 when the queues cannot be reached; 2 when the command line is wrong.")]
    Aggregation {
        /// Into which buckets
        #[arg(value_name = "PRECISION", value_parser = arguments::precision())]
        precision: Precision,
        #[command(flatten)]
        how: How,
    },
    /// Make every cached value of a period due at once
    #[command(after_help = "\
The values stay, and are shown until the next ones are there; the next refresh queues their computing. Failures of their jobs,
which would hold that off for ten minutes, are forgotten too. Aggregations are not touched.

Examples:
  sview clear-timeouts resource 1w && sview cache-period 1w
  sview clear-timeouts resource 1h -d     say which values would be due

JSON: {dry_run, values, failures, keys: [KEY…]}, where values and failures are how many became due or were forgotten, and keys names
the values and the failed jobs.

Exit code: 0; 1 when cache or queues cannot be reached; 2 when the command line is wrong.")]
    Resource {
        /// At which period
        #[arg(value_name = "PERIOD", value_parser = arguments::period())]
        period: Period,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub struct How {
    /// Changes nothing, and says what would be cleared
    #[arg(short, long)]
    dry_run: bool,
    /// Prints JSON
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

/// Forgets the failures of these jobs, or only finds them.
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

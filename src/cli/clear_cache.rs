//! `sview clear-cache`: deletes every cached value.

use std::process::ExitCode;

use serde::Serialize;
use sview_model::counted;

use super::{Settings, action, output, store};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview clear-cache -d     say what would be deleted
  sview clear-cache && sview refresh

Deletes every cached value. Pages show placeholders until the values are computed again; the next refresh begins that. To \
keep the old values on the pages meanwhile, use `sview clear-timeouts resource PERIOD` instead. Reports, aggregates and jobs \
are not touched.

JSON: {dry_run, cleared, keys: [KEY…]}. Without --dry-run, keys are those that were there just before.

Exit code: 0; 1 when the cache cannot be reached; 2 when the command line is wrong.")]
pub struct Args {
    /// Delete nothing; say what would be deleted
    #[arg(short, long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    dry_run: bool,
    cleared: u64,
    keys: Vec<String>,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let services = store::existing(settings).await?;
    let cache = &services.jobs.cache;
    let keys: Vec<String> = cache.list().await?.into_iter().map(|entry| entry.key).collect();
    let cleared = if args.dry_run {
        keys.len() as u64
    } else {
        action::note(&services.jobs.queues, format!("clear-cache: {}", counted(keys.len() as u64, "value"))).await?;
        cache.clear().await?
    };
    if args.json {
        output::json(&Document { dry_run: args.dry_run, cleared, keys })?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.dry_run {
        // Keys hold words of the catalogue, periods, addresses and hex digits only.
        keys.iter().for_each(output::line);
    }
    let done = if args.dry_run { "would be deleted" } else { "deleted" };
    output::line(format!("{} {done}", counted(cleared, "cached value")));
    Ok(ExitCode::SUCCESS)
}

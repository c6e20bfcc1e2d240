//! `sview aggregate-period PRECISION`: suggests the aggregation of all kinds of reports into a precision.

use std::process::ExitCode;

use sview_jobs::{Cause, Part, refresh_part};
use sview_model::Precision;

use super::suggestions::{self, Suggesting, suggesting_help};
use super::{Settings, arguments, store};

#[derive(Debug, clap::Args)]
#[command(after_help = suggesting_help!("\
Examples:
  sview aggregate-period quarterly      queue what is due
  sview aggregate-period hourly -d      say what would be queued, and why the rest is not

Suggests the aggregation of incidents, passwords and ports into quarters of an hour, hours or days. The minute's refresh \
does the same for all three precisions. What is due is queued, unless it is queued already or a finer aggregation is due \
first.

What an aggregation covers comes from its watermark, so nothing is aggregated twice, however often you call this."))]
pub struct Args {
    /// Precision of the buckets
    #[arg(value_name = "PRECISION", value_parser = arguments::precision())]
    precision: Precision,
    #[command(flatten)]
    how: Suggesting,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let services = store::existing(settings).await?;
    let (now, part) = (services.jobs.clock.now(), Part::Into(args.precision));
    let cause = Cause::Command("aggregate-period");
    suggestions::show(&refresh_part(&services.jobs, now, part, &cause, args.how.dry_run).await?, args.how, true)
}

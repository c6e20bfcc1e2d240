//! `sview aggregate-period PRECISION`: suggests the aggregation of all kinds of reports into a precision.

use std::process::ExitCode;

use sview_jobs::{Cause, Part, refresh_part};
use sview_model::Precision;

use super::suggestions::{self, Suggesting, suggesting_help};
use super::{Settings, arguments, store};

#[derive(Debug, clap::Args)]
#[command(after_help = suggesting_help!("\
Suggests the aggregation of incidents, passwords and ports into quarters of an hour, hours or days, as the minute's refresh does
for all three: what is due is queued, unless it is queued already, or a finer aggregation is due first. What an aggregation covers
comes from its watermark, so nothing is ever aggregated twice, however often this is called.

Examples:
  sview aggregate-period quarterly      queue what is due
  sview aggregate-period hourly -d      only say what would be queued, and why the rest is not"))]
pub struct Args {
    /// Into which buckets
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

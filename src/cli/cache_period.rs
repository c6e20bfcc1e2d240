//! `sview cache-period PERIOD`: suggests the caching of every precached resource at a period.

use std::process::ExitCode;

use sview_jobs::{Cause, Part, refresh_part};
use sview_model::Period;

use super::suggestions::{self, Suggesting, suggesting_help};
use super::{Settings, arguments, store};

#[derive(Debug, clap::Args)]
#[command(after_help = suggesting_help!("\
Examples:
  sview cache-period 1w         queue what is due
  sview cache-period 1h -d      say what would be queued, and why the rest is not

Suggests the computation of every precached resource at a period. There is one job for each kind of reports, because one \
pass over the rows computes all resources of a kind.

A value is up to date until its refresh time; `sview clear-timeouts resource PERIOD` makes it due. A value waits while an \
aggregation that it is built on is due; `sview refresh` queues both."))]
pub struct Args {
    /// Period of the values
    #[arg(value_name = "PERIOD", value_parser = arguments::period())]
    period: Period,
    #[command(flatten)]
    how: Suggesting,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let services = store::existing(settings).await?;
    let (now, part) = (services.jobs.clock.now(), Part::At(args.period));
    let cause = Cause::Command("cache-period");
    suggestions::show(&refresh_part(&services.jobs, now, part, &cause, args.how.dry_run).await?, args.how, true)
}

//! `sview cache-period PERIOD`: suggests the caching of every precached resource at a period.

use std::process::ExitCode;

use sview_jobs::{Cause, Part, refresh_part};
use sview_model::Period;

use super::suggestions::{self, Suggesting, suggesting_help};
use super::{Settings, arguments, store};

#[derive(Debug, clap::Args)]
#[command(after_help = suggesting_help!("\
Suggests every precached resource at a period, a job for each kind of reports, since all resources of a kind are computed from
the same rows at once. A value whose refresh time has not come is up to date (`sview clear-timeouts resource PERIOD` makes it
due); one that is built on an aggregation which is due waits for that (`sview refresh` queues both).

Examples:
  sview cache-period 1w         queue what is due
  sview cache-period 1h -d      only say what would be queued, and why the rest is not"))]
pub struct Args {
    /// At which period
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

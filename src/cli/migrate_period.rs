//! `sview migrate-period PRECISION`: aggregates all of history into a precision.

use std::process::ExitCode;

use sview_jobs::{Cause, Part, Skip, Verdict, Work, refresh_part};
use sview_model::{Kind, Precision};

use super::suggestions::{self, Suggesting, suggesting_help};
use super::{Settings, action, arguments, output, store};

#[derive(Debug, clap::Args)]
#[command(after_help = suggesting_help!("\
Examples:
  sview migrate-period quarterly -d     say what would be checked
  sview migrate-period quarterly        check all of history

Checks every bucket of a precision against its finer rows, as far back as those reach. Buckets that are missing or hold too \
little are made; the others stay. Jobs do the work in chunks, newest first, while everything else goes on.

You hardly ever need this: aggregation begins with all of history by itself. It may be interrupted and repeated at any time, \
because every report counts exactly once. (The original's command added all sums again and had to run exactly once, on an \
empty table.)

Quarters are made from reports, hours from quarters, days from hours. Begin with the finest precision in doubt; coarser ones \
follow by themselves. Only `sview rollup rebuild` mends a bucket that holds too much."))]
pub struct Args {
    /// Precision of the buckets
    #[arg(value_name = "PRECISION", value_parser = arguments::precision())]
    precision: Precision,
    #[command(flatten)]
    how: Suggesting,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let (precision, dry_run) = (args.precision, args.how.dry_run);
    let services = store::existing(settings).await?;
    if !dry_run {
        action::note(&services.jobs.queues, format!("migrate-period {precision}")).await?;
    }
    let mut marked = Vec::new();
    for kind in Kind::ALL {
        let span = if dry_run {
            services.reports.rollup().history_span(*kind, precision).await?
        } else {
            services.reports.rollup().mark_history(*kind, precision).await?
        };
        let text = match span {
            Some(span) => {
                marked.push(*kind);
                format!("{kind}/{precision}: {} again at {span}", if dry_run { "would look" } else { "looks" })
            }
            None => {
                format!("{kind}/{precision}: no history to look at again; the first aggregation covers all of history")
            }
        };
        if !args.how.json {
            output::line(text);
        }
    }
    let (now, part) = (services.jobs.clock.now(), Part::Into(precision));
    let mut all = refresh_part(&services.jobs, now, part, &Cause::Command("migrate-period"), dry_run).await?;
    if dry_run {
        // In a dry run, the buckets that would be marked count as due.
        for suggestion in &mut all {
            let Work::Aggregate(job) = &suggestion.work else { continue };
            if marked.contains(&job.kind) && matches!(suggestion.verdict, Verdict::Skip(Skip::UpToDate { .. })) {
                suggestion.verdict = Verdict::Queue;
            }
        }
    }
    suggestions::show(&all, args.how, true)
}

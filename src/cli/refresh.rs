//! `sview refresh`: queues what is due.

use std::process::ExitCode;
use std::time::Duration;

use sview_jobs::{Cause, Skip, Verdict, WorkerSettings, work_until_idle};

use super::{Settings, output};
use crate::Services;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The scheduler does this every minute by itself. By hand it is for looking (--dry-run), and for working everything off in this
process (--wait), as after an ingest:
  sview ingest reports.csv && sview refresh --wait

Exit code: 0, or 1 when a job died while waiting.")]
pub struct Args {
    /// Queues nothing, and says what would be queued and why the rest is not
    #[arg(short, long)]
    dry_run: bool,
    /// Works the queues in this process until nothing is left to do
    #[arg(short, long, conflicts_with = "dry_run")]
    wait: bool,
    /// Lists what is up to date as well
    #[arg(short, long)]
    all: bool,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let services = Services::open(&settings.places).await?;
    let cause = Cause::Command("refresh");
    if args.wait {
        let workers = WorkerSettings {
            grace: Duration::from_secs(settings.workers.grace_seconds.into()),
            ..WorkerSettings::default()
        };
        let worked = work_until_idle(&services.jobs, &cause, settings.workers.concurrency.into(), &workers).await?;
        for record in &worked.dead {
            let last = record.errors.last().map_or("no error", |e| e.message.as_str());
            output::line(format!("dead  {}: {last}", record.words));
        }
        output::line(match worked.dead.len() {
            0 => "Everything is up to date.".to_owned(),
            n => {
                format!("All queues are empty, but {n} jobs died; what they were to do is tried again in ten minutes.")
            }
        });
        return Ok(if worked.dead.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let now = services.jobs.clock.now();
    let suggestions = sview_jobs::refresh(&services.jobs, now, &cause, args.dry_run).await?;
    let (mut queued, mut fresh) = (0, 0);
    for suggestion in &suggestions {
        let line = format!("{:<12} {:<60} {}", suggestion.work.queue(), suggestion.work, suggestion.verdict);
        match suggestion.verdict {
            Verdict::Queue => queued += 1,
            Verdict::Skip(Skip::UpToDate { .. }) => {
                fresh += 1;
                if !args.all {
                    continue;
                }
            }
            Verdict::Skip(_) => {}
        }
        output::line(line);
    }
    let verb = if args.dry_run { "would be queued" } else { "queued" };
    let skipped = suggestions.len() - queued - fresh;
    output::line(format!("{queued} {verb}, {skipped} skipped, {fresh} up to date"));
    Ok(ExitCode::SUCCESS)
}

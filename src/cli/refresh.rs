//! `sview refresh`: queues due jobs.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use sview_jobs::{Cause, WorkerSettings, Working, work_until_idle_with};
use sview_model::counted;

use super::progress::Progress;
use super::suggestions::{self, Suggesting, suggesting_help};
use super::table::{Cell, Table, Tone};
use super::view_jobs::Job;
use super::{Settings, output, store};
use crate::Services;

#[derive(Debug, clap::Args)]
#[command(after_help = suggesting_help!("\
Examples:
  sview refresh --dry-run --all
  sview ingest reports.csv && sview refresh --wait

The scheduler does this every minute. Use the command to see what is due (--dry-run), or to run everything that is due in \
this process (--wait), for instance after an ingest. With --wait the exit code is 1 when a job failed for good.

JSON of --wait: {queued, dead: [JOB…]}, with jobs as in `sview view-jobs --json`. Without --wait:"))]
pub struct Args {
    #[command(flatten)]
    how: Suggesting,
    /// Run the jobs in this process until nothing is left to do
    #[arg(short, long, conflicts_with = "dry_run")]
    wait: bool,
    /// List what is up to date as well
    #[arg(short, long)]
    all: bool,
}

#[derive(Serialize)]
struct Worked {
    queued: usize,
    dead: Vec<Job>,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let slots = if args.wait { 2 * usize::from(settings.workers.concurrency) } else { 0 };
    let services = store::existing_for(settings, slots).await?;
    if args.wait {
        return work(settings, &services, args.how.json).await;
    }
    let (now, cause) = (services.jobs.clock.now(), Cause::Command("refresh"));
    suggestions::show(&sview_jobs::refresh(&services.jobs, now, &cause, args.how.dry_run).await?, args.how, args.all)
}

async fn work(settings: &Settings, services: &Services, json: bool) -> anyhow::Result<ExitCode> {
    let grace = Duration::from_secs(settings.workers.grace_seconds.into());
    let workers = WorkerSettings { grace, ..WorkerSettings::default() };
    let concurrency = settings.workers.concurrency.into();
    let progress = Progress::begin(settings, json);
    progress.say("looking for what is due".to_owned());
    let tell = |working: &Working| {
        let done = counted(working.done, "job");
        progress.say(format!("refresh: {done} done, {} waiting or running", working.under_way));
    };
    let worked = work_until_idle_with(&services.jobs, &Cause::Command("refresh"), concurrency, &workers, tell).await?;
    let took = progress.end();
    let code = if worked.dead.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if json {
        output::json(&Worked { queued: worked.queued, dead: worked.dead.iter().map(Job::from).collect() })?;
        return Ok(code);
    }
    let mut table = Table::new(&["state", "job", "last error"]);
    for record in &worked.dead {
        let last = record.errors.last().map_or("no error", |e| e.message.as_str());
        table.row([Cell::new(Tone::Bad, "dead"), Cell::plain(&record.words), Cell::plain(last)]);
    }
    table.print();
    output::line(match worked.dead.len() as u64 {
        0 => "Everything is up to date.".to_owned(),
        n => {
            let dead = format!("{} {} dead", counted(n, "job"), if n == 1 { "is" } else { "are" });
            format!("All queues are empty, but {dead}. The next refresh after ten minutes tries again.")
        }
    });
    output::line(format!("{} in {took}", counted(worked.done, "job")));
    Ok(code)
}

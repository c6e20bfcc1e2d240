//! Prints which jobs were or would be queued, and why the others are not. All commands that suggest jobs share it.

use std::process::ExitCode;

use serde::Serialize;
use sview_jobs::{Skip, Suggestion, Verdict};

use super::output;
use super::table::{Cell, Table, Tone};

/// The options of every command that suggests jobs.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Suggesting {
    /// Queue nothing; say what would be queued, and why the rest is not
    #[arg(short, long)]
    pub(super) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// The end of the help of these commands.
macro_rules! suggesting_help {
    ($text:literal) => {
        concat!(
            $text,
            "

JSON: {dry_run, queued, skipped, up_to_date, jobs: [{job, queue, verdict: queue|skip, reason, why}]}. A reason is \
up-to-date, same-job, built-on, held-off, queue-full or database-away.

Exit code: 0, also when nothing is due; 1 when a queue is full or something failed; 2 when the command line is wrong."
        )
    };
}
pub(super) use suggesting_help;

#[derive(Serialize)]
struct Document {
    dry_run: bool,
    queued: usize,
    skipped: usize,
    up_to_date: usize,
    jobs: Vec<Job>,
}

#[derive(Serialize)]
struct Job {
    job: String,
    queue: &'static str,
    verdict: &'static str,
    reason: Option<&'static str>,
    why: Option<String>,
}

fn reason(skip: &Skip) -> &'static str {
    match skip {
        Skip::UpToDate { .. } => "up-to-date",
        Skip::SameJob { .. } => "same-job",
        Skip::Aggregation { .. } => "built-on",
        Skip::HeldOff { .. } => "held-off",
        Skip::QueueFull { .. } => "queue-full",
        Skip::DatabaseAway => "database-away",
    }
}

/// How a verdict looks.
pub(super) fn tone(verdict: &Verdict) -> Tone {
    match verdict {
        Verdict::Queue => Tone::Good,
        Verdict::Skip(Skip::UpToDate { .. } | Skip::SameJob { .. }) => Tone::Quiet,
        Verdict::Skip(Skip::Aggregation { .. }) => Tone::Notable,
        Verdict::Skip(Skip::HeldOff { .. } | Skip::QueueFull { .. } | Skip::DatabaseAway) => Tone::Bad,
    }
}

/// Prints suggestions; those that are up to date only where `all` asks for them. The exit code says whether all that is due has
/// found room.
pub(super) fn show(suggestions: &[Suggestion], how: Suggesting, all: bool) -> anyhow::Result<ExitCode> {
    let count = |test: fn(&Verdict) -> bool| suggestions.iter().filter(|s| test(&s.verdict)).count();
    let queued = count(|v| *v == Verdict::Queue);
    let up_to_date = count(|v| matches!(v, Verdict::Skip(Skip::UpToDate { .. })));
    let skipped = suggestions.len() - queued - up_to_date;
    if how.json {
        let jobs = suggestions.iter().map(|Suggestion { work, verdict }| Job {
            job: work.to_string(),
            queue: work.queue().as_str(),
            verdict: if *verdict == Verdict::Queue { "queue" } else { "skip" },
            reason: if let Verdict::Skip(skip) = verdict { Some(reason(skip)) } else { None },
            why: if let Verdict::Skip(skip) = verdict { Some(skip.to_string()) } else { None },
        });
        output::json(&Document { dry_run: how.dry_run, queued, skipped, up_to_date, jobs: jobs.collect() })?;
    } else {
        let mut table = Table::new(&["queue", "job", "verdict"]);
        for Suggestion { work, verdict } in suggestions {
            if all || !matches!(verdict, Verdict::Skip(Skip::UpToDate { .. })) {
                table.row([Cell::plain(work.queue()), Cell::plain(work), Cell::new(tone(verdict), verdict)]);
            }
        }
        table.print();
        let verb = if how.dry_run { "would be queued" } else { "queued" };
        output::line(format!("{queued} {verb}, {skipped} skipped, {up_to_date} up to date"));
    }
    let failed = count(|v| matches!(v, Verdict::Skip(Skip::QueueFull { .. } | Skip::DatabaseAway)));
    Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

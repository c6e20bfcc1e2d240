//! `sview view-jobs`: the jobs that there are and were.

use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use clap::builder::PossibleValuesParser;
use serde::Serialize;
use sview_jobs::{Filter, JOB_NAMES, Record, State};
use sview_model::{Queue, counted};

use super::table::{Cell, Table, Tone};
use super::{Settings, arguments, output, store, units};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview view-jobs                                  the newest 50
  sview view-jobs --state queued,running           jobs that wait or run
  sview view-jobs --state dead --json              dead jobs, for a program
  sview view-jobs --queue slow-cache --text ports  the caching of ports at long periods

Lists jobs, newest first. In a terminal, columns that do not fit are left out and long texts are cut. --wide prints \
everything, and so does a pipe.

States:
  queued     taken as soon as a worker is free
  scheduled  waits for its time or for its next attempt
  running    a worker holds its lease
  done       succeeded
  dead       failed at every attempt
  cancelled  stopped by an operator

JSON: {jobs: [{id, name, queue, state, job, cause, attempts, max_attempts, created_at, run_at, started_at, finished_at, \
worker, cancel_asked, waited_seconds, ran_seconds, errors: [{attempt, at, message}]}]}. Times are RFC 3339, UTC.

Exit code: 0; 1 when the queues cannot be read; 2 when the command line is wrong.")]
pub struct Args {
    /// Only jobs in these states
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = arguments::state())]
    state: Vec<State>,
    /// Only jobs of this queue
    #[arg(long, value_name = "QUEUE", value_parser = arguments::queue())]
    queue: Option<Queue>,
    /// Only jobs of this name
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(JOB_NAMES))]
    name: Option<String>,
    /// Only jobs whose description has this text; case does not matter
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Most jobs to list
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Print every column, however narrow the terminal
    #[arg(long)]
    wide: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    jobs: Vec<Job>,
}

/// A job as programs see it.
#[derive(Serialize)]
pub(super) struct Job {
    id: String,
    name: String,
    queue: &'static str,
    state: &'static str,
    job: String,
    cause: String,
    attempts: u32,
    max_attempts: u32,
    created_at: DateTime<Utc>,
    run_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    worker: Option<String>,
    cancel_asked: bool,
    waited_seconds: Option<f64>,
    ran_seconds: Option<f64>,
    errors: Vec<AttemptError>,
}

#[derive(Serialize)]
struct AttemptError {
    attempt: u32,
    at: DateTime<Utc>,
    message: String,
}

impl From<&Record> for Job {
    fn from(record: &Record) -> Self {
        let errors = record.errors.iter();
        Self {
            id: record.id.to_string(),
            name: record.name.clone(),
            queue: record.queue.as_str(),
            state: record.state.as_str(),
            job: record.words.clone(),
            cause: record.cause.clone(),
            attempts: record.attempts,
            max_attempts: record.max_attempts,
            created_at: record.created_at,
            run_at: record.run_at,
            started_at: record.started_at,
            finished_at: record.finished_at,
            worker: record.worker.clone(),
            cancel_asked: record.cancel_asked,
            waited_seconds: record.waited().map(|d| d.as_secs_f64()),
            ran_seconds: record.ran().map(|d| d.as_secs_f64()),
            errors: errors
                .map(|e| AttemptError { attempt: e.attempt, at: e.at(), message: e.message.clone() })
                .collect(),
        }
    }
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let services = store::existing(settings).await?;
    let filter = Filter {
        states: args.state.clone(),
        queue: args.queue.map(Into::into),
        name: args.name.clone(),
        text: args.text.clone(),
        limit: args.limit as usize,
        ..Filter::default()
    };
    let records = services.jobs.queues.ledger().list(&filter).await?;
    if args.json {
        output::json(&Document { jobs: records.iter().map(Job::from).collect() })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table =
        Table::new(&["id", "state", "queue", "queued at", "waited", "ran", "tries", "job", "cause", "last error"]);
    for record in &records {
        let tone = match record.state {
            State::Running | State::Done => Tone::Good,
            State::Dead => Tone::Bad,
            State::Cancelled => Tone::Quiet,
            State::Queued | State::Scheduled => Tone::Notable,
        };
        table.row([
            Cell::plain(record.id),
            Cell::new(tone, record.state),
            Cell::plain(record.queue),
            Cell::plain(units::moment(record.created_at)),
            Cell::plain(took(record.waited())).right(),
            Cell::plain(took(record.ran())).right(),
            Cell::plain(format!("{}/{}", record.attempts, record.max_attempts)),
            Cell::plain(&record.words),
            Cell::plain(&record.cause),
            Cell::new(Tone::Bad, record.errors.last().map_or("", |e| e.message.as_str())),
        ]);
    }
    let cut = if args.wide {
        table.print();
        false
    } else {
        table.print_within_terminal(&["cause", "id", "waited", "last error", "queue", "tries", "ran"])
    };
    let full = if records.len() == args.limit as usize { "; there may be more (--limit)" } else { "" };
    let cut = if cut { "; --wide or --json tells all of them" } else { "" };
    output::line(format!("{}{full}{cut}", counted(records.len() as u64, "job")));
    Ok(ExitCode::SUCCESS)
}

/// A duration, to a tenth of a second while that says something.
fn took(duration: Option<std::time::Duration>) -> String {
    match duration {
        None => String::new(),
        Some(short) if short.as_secs() < 10 => format!("{:.1} s", short.as_secs_f64()),
        Some(long) => units::span(TimeDelta::from_std(long).unwrap_or(TimeDelta::MAX)),
    }
}

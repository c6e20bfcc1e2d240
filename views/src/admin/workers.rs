//! The page of the workers and their jobs.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::AdminContext;
use super::frame::{Frame, page};
use super::spans::{coarse, exact, seen};
use super::table::{Column, table};
use crate::text;

/// A job that a worker is at.
#[derive(Clone, Debug)]
pub struct RunningRow {
    /// The id of the job.
    pub id: String,
    /// A summary of the job; may be hostile.
    pub words: String,
    /// The time since when it runs, UTC.
    pub since: Option<DateTime<Utc>>,
}

/// The row of a worker.
#[derive(Clone, Debug)]
pub struct WorkerRow {
    /// The name of the worker.
    pub name: String,
    /// Machine and process.
    pub place: String,
    /// The queues that it serves, most urgent first.
    pub queues: Vec<&'static str>,
    /// How many jobs it runs at once.
    pub slots: usize,
    /// The time since when it runs, UTC.
    pub since: DateTime<Utc>,
    /// The time when it was last heard of.
    pub heard: DateTime<Utc>,
    /// The jobs that it runs.
    pub running: Vec<RunningRow>,
}

/// A job that a worker was at when it vanished.
#[derive(Clone, Debug)]
pub struct LeftRow {
    /// The id of the job.
    pub id: String,
    /// A summary of the job, which may be hostile, and its state now; `None` where its record was purged.
    pub job: Option<(String, &'static str)>,
}

/// A worker that vanished without a word.
#[derive(Clone, Debug)]
pub struct LostRow {
    /// The name of the worker.
    pub name: String,
    /// Machine and process.
    pub place: String,
    /// The queues that it served, most urgent first.
    pub queues: Vec<&'static str>,
    /// The time when it was last heard of, UTC.
    pub heard: DateTime<Utc>,
    /// The jobs that it ran then.
    pub running: Vec<LeftRow>,
}

/// The seconds of silence after which a worker is marked as silent. A living one announces itself every five.
const SILENT: i64 = 15;

/// The workers, and those that vanished in the last seven days, latest first.
#[must_use]
pub fn workers(context: &AdminContext, rows: &[WorkerRow], lost: &[LostRow]) -> Markup {
    let columns = [
        Column::name("Worker"),
        Column::new("Queues"),
        Column::number("Busy"),
        Column::words("Doing"),
        Column::new("Heard of"),
        Column::new("Started"),
    ];
    let content = html! {
        section.card.list {
            @if rows.is_empty() {
                p.empty { "No worker was heard of in the last two minutes. Start one by " code { "sview worker aggregation quick-cache" } "." }
            } @else {
                (table(columns, rows.iter().map(|row| cells(context, row))))
            }
        }
        @if !lost.is_empty() { (vanished(context, lost)) }
    };
    let lead = html! { "A process that takes jobs from its queues, the most urgent first. It tells of itself every 5 seconds; when it is silent its \
    jobs are given to others. After two minutes it counts as lost, and is remembered for a week." };
    page(context, &Frame { title: "Workers", nav: "/workers", lead: Some(lead), live: true }, &content)
}

fn vanished(context: &AdminContext, rows: &[LostRow]) -> Markup {
    let columns =
        [Column::name("Worker"), Column::new("Queues"), Column::words("Was doing"), Column::new("Last heard of")];
    let cells = |row: &LostRow| {
        [
            html! { b { (text::visible(&row.place, 80)) } p.remark { (text::visible(&row.name, 120)) } },
            html! { (row.queues.join(", ")) },
            html! {
                @if row.running.is_empty() { span.soft { "nothing" } }
                @for left in &row.running {
                    p {
                        @match &left.job {
                            Some((words, state)) => { a href={ "/jobs/" (left.id) } { (text::label(words)) } ", which is " (state) " now" },
                            None => { "a job that was purged since: " code { (left.id) } },
                        }
                    }
                }
            },
            html! { (seen(row.heard, context.now)) p.remark { (exact(row.heard)) } },
        ]
    };
    html! {
        section.card.list {
            h2 { "Lost in the last 7 days" }
            p.remark { "These ended without a word: killed, out of memory, cut off. Their jobs were given to others." }
            (table(columns, rows.iter().map(cells)))
        }
    }
}

fn cells(context: &AdminContext, row: &WorkerRow) -> [Markup; 6] {
    let silent = (context.now - row.heard).num_seconds() > SILENT;
    [
        html! { b { (text::visible(&row.place, 80)) } p.remark { (text::visible(&row.name, 120)) } },
        html! { (row.queues.join(", ")) },
        html! { (row.running.len()) " of " (row.slots) },
        html! {
            @if row.running.is_empty() { span.soft { "idle" } }
            @for job in &row.running {
                p { a href={ "/jobs/" (job.id) } { (text::label(&job.words)) }
                    @if let Some(since) = job.since { " for " (coarse(context.now - since)) } }
            }
        },
        html! { (seen(row.heard, context.now)) @if silent { " " span.tag.bad { "silent" } } },
        seen(row.since, context.now),
    ]
}

//! The queues at one look.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use sview_model::counted;

use super::forms::{Ask, buttons};
use super::frame::{Frame, page};
use super::jobs::{JobRow, list};
use super::spans::seen;
use super::table::{Column, table};
use super::{AdminContext, chart};
use crate::number::grouped;
use crate::{links, text};

/// An hour of a queue.
#[derive(Clone, Copy, Debug)]
pub struct HourBar {
    /// The hour's end, UTC.
    pub end: DateTime<Utc>,
    /// Jobs that ended well in it.
    pub done: u64,
    /// Jobs that became dead in it.
    pub dead: u64,
}

/// The card of a queue.
#[derive(Clone, Debug)]
pub struct QueueCard {
    /// The name of the queue.
    pub name: &'static str,
    /// Whether nothing is taken from it.
    pub paused: bool,
    /// Jobs by state, in the order of a job's life; names and numbers.
    pub counts: Vec<(&'static str, u64)>,
    /// The time from which the oldest waiting job could have run.
    pub oldest_waiting: Option<DateTime<Utc>>,
    /// How many workers serve it, and how many slots they have.
    pub workers: (usize, usize),
    /// The share of dead jobs among those that ended in a day, as text: `0.4 %`.
    pub failure_rate: Option<String>,
    /// The 50th, 95th and 99th percentile of the last run times, as text.
    pub run_times: Option<[String; 3]>,
    /// The hours of the last day.
    pub hours: Vec<HourBar>,
    /// The actions that apply to it.
    pub asks: Vec<Ask>,
}

/// The attempts of a kind of job in the last 24 hours.
#[derive(Clone, Debug)]
pub struct KindRow {
    /// The kind; may be hostile.
    pub name: String,
    /// How many ended well.
    pub done: u64,
    /// How many failed.
    pub failed: u64,
    /// The run times that half and 95 of 100 attempts did not exceed, and the longest; as text. `None` where no time is known.
    pub times: Option<[String; 3]>,
    /// The end of each hour, UTC, how many ended well and how many failed; oldest first. The last hour is under way.
    pub hours: Vec<(DateTime<Utc>, u64, u64)>,
}

/// The content of the overview.
#[derive(Clone, Debug)]
pub struct OverviewPage {
    /// How many buckets and locks hold up aggregations.
    pub obstacles: usize,
    /// Failures of the deployment's parts, and advice; a sentence each.
    pub troubles: Vec<String>,
    /// The queues, most urgent first.
    pub queues: Vec<QueueCard>,
    /// Attempts by kind of job.
    pub kinds: Vec<KindRow>,
    /// The running jobs, longest first.
    pub running: Vec<JobRow>,
    /// The latest dead jobs.
    pub dead: Vec<JobRow>,
}

/// The overview of queues.
#[must_use]
pub fn overview(context: &AdminContext, shown: &OverviewPage) -> Markup {
    let content = html! {
        @for trouble in &shown.troubles { p.message.warn role="alert" { (text::visible(trouble, 600)) } }
        @if shown.obstacles > 0 {
            p.message.bad { a href="/due" { "Aggregation is held up" } ", at " (counted(shown.obstacles as u64, "place")) "." }
        }
        div.queues { @for queue in &shown.queues { (card(context, queue)) } }
        section.card.list {
            h2 { "Run times" }
            p.remark { "Attempts of the last 24 hours by kind of job. A failed attempt may be followed by another." }
            @if shown.kinds.is_empty() { p.empty { "No attempt has ended yet." } } @else { (kinds(&shown.kinds)) }
        }
        section.card.list {
            h2 { "Running now" }
            @if shown.running.is_empty() { p.empty { "No job runs." } } @else { (list(context, &shown.running, None)) }
        }
        section.card.list {
            h2 { "Last dead" }
            @if shown.dead.is_empty() {
                p.empty { "No dead jobs lately." }
            } @else {
                p.remark { a href="/dead" { "Dead jobs by their errors" } }
                (list(context, &shown.dead, None))
            }
        }
    };
    let lead = html! {
        "The most urgent first. A job waits until a worker is free for it; one that fails is scheduled to be tried again, and is dead when \
         its attempts are used up. Of a paused queue no job is begun."
    };
    page(context, &Frame { title: "Queues", nav: "/", lead: Some(lead), live: true }, &content)
}

fn kinds(rows: &[KindRow]) -> Markup {
    let columns = [
        Column::name("Kind"),
        Column::number("Done"),
        Column::number("Failed"),
        Column::number("Half within"),
        Column::number("95 % within"),
        Column::number("Longest"),
        Column::new("Last 24 hours"),
    ];
    let cells = |row: &KindRow| {
        let time = |i: usize| html! { @match &row.times { Some(times) => { (times[i]) }, None => { "–" } } };
        let all = row.done + row.failed;
        let said = format!("{}: {} attempts in the last 24 hours", text::visible(&row.name, 60), grouped(all));
        [
            html! { a href={ "/jobs?job=" (links::encoded(&row.name)) "&sort=ran" } { (text::label(&row.name)) } },
            html! { (grouped(row.done)) },
            html! { span.bad[row.failed > 0] { (grouped(row.failed)) } },
            time(0),
            time(1),
            time(2),
            chart::sparkline(&said, &["Done", "Failed"], &row.hours),
        ]
    };
    table(columns, rows.iter().map(cells))
}

/// A percentile, by its usual name for who knows it: `within 329 ms`.
fn within(name: &str, meaning: &str, time: &str) -> Markup {
    html! { span title={ (name) ": " (meaning) } { "within " (time) } }
}

fn card(context: &AdminContext, queue: &QueueCard) -> Markup {
    let count = |state: &str| queue.counts.iter().find(|(name, _)| *name == state).map_or(0, |(_, n)| *n);
    html! {
        section.card.queue id={ "q-" (queue.name) } {
            h2 {
                a href={ "/jobs?queue=" (queue.name) } { (queue.name) }
                @if queue.paused { " " span.tag.warn { "paused" } }
                @if queue.workers.0 == 0 { " " span.tag.bad { "no worker" } }
            }
            dl.big {
                div { dt { "waiting" } dd { a href={ "/jobs?queue=" (queue.name) "&state=queued" } { (grouped(count("queued"))) } } }
                div { dt { "running" } dd { a href={ "/jobs?queue=" (queue.name) "&state=running" } { (grouped(count("running"))) } } }
                div.bad[count("dead") > 0] {
                    dt { "dead" } dd { a href={ "/jobs?queue=" (queue.name) "&state=dead" } { (grouped(count("dead"))) } }
                }
            }
            dl.facts {
                dt { "Oldest waiting" }
                dd { @match queue.oldest_waiting { Some(at) => { (seen(at, context.now)) }, None => { "–" } } }
                dt { "Scheduled" }
                dd { a href={ "/jobs?queue=" (queue.name) "&state=scheduled" } { (grouped(count("scheduled"))) } }
                dt { "Workers" } dd { (queue.workers.0) @if queue.workers.1 > 0 { ", for " (counted(queue.workers.1 as u64, "job")) " at once" } }
                dt { "Dead in 24 h" } dd { @match &queue.failure_rate { Some(rate) => { (rate) " of what ended" }, None => { "–" } } }
                dt { "Run time" }
                dd { @match &queue.run_times {
                    Some([p50, p95, p99]) => {
                        "half " (within("p50", "Half of the last attempts took no longer", p50))
                        ", 95 % " (within("p95", "95 of the last 100 attempts took no longer", p95))
                        ", 99 % " (within("p99", "99 of the last 100 attempts took no longer", p99))
                    },
                    None => { "–" },
                } }
            }
            (chart::throughput(queue.name, &queue.hours))
            (buttons(context, &queue.asks))
        }
    }
}

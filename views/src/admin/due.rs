//! The page of due aggregations and values.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::AdminContext;
use super::frame::{Frame, page};
use super::spans::{coarse, exact};
use super::table::{Column, table};
use crate::number::grouped;
use crate::text;

/// An aggregation.
#[derive(Clone, Debug)]
pub struct AggregationRow {
    /// `incidents/quarterly`.
    pub name: String,
    /// Up to where it has come, UTC.
    pub watermark: Option<DateTime<Utc>>,
    /// How far that is behind the due time, as text; `None` when it is not.
    pub lag: Option<String>,
    /// Spans that wait to be made, or made again.
    pub pending: u64,
    /// The decision of a refresh at this moment, for people.
    pub verdict: String,
    /// The job that is in its way, or does it: id and words; may be hostile.
    pub job: Option<(String, String)>,
}

/// The values of a kind at a period.
#[derive(Clone, Debug)]
pub struct ValueRow {
    /// `caching incidents 1h, all 13 resources`.
    pub name: String,
    /// The queue of its job.
    pub queue: &'static str,
    /// The time when it is due, if it is up to date.
    pub due: Option<DateTime<Utc>>,
    /// The decision of a refresh at this moment, for people.
    pub verdict: String,
    /// The job that is in its way, or does it.
    pub job: Option<(String, String)>,
}

/// An obstacle that keeps an aggregation from being complete.
#[derive(Clone, Debug)]
pub struct ObstacleRow {
    /// `incidents/quarterly`.
    pub name: String,
    /// The bucket that could not be made, UTC; `None` where a lock is held.
    pub bucket: Option<String>,
    /// The time since when it lasts, UTC.
    pub since: DateTime<Utc>,
    /// The time when it is tried again, UTC.
    pub again: Option<DateTime<Utc>>,
    /// The cause; may be hostile.
    pub why: String,
}

/// The content of the page.
#[derive(Clone, Debug)]
pub struct DuePage {
    /// The time for statistics: frozen where the clock is.
    pub now: DateTime<Utc>,
    /// Every aggregation.
    pub aggregations: Vec<AggregationRow>,
    /// The obstacles that keep aggregations from being complete.
    pub obstacles: Vec<ObstacleRow>,
    /// Every group of precached values.
    pub values: Vec<ValueRow>,
}

const AGGREGATIONS: [Column; 5] = [
    Column::name("Aggregation"),
    Column::new("Complete to"),
    Column::new("Behind"),
    Column::number("Pending spans"),
    Column::words("A refresh now"),
];

const OBSTACLES: [Column; 5] = [
    Column::name("Aggregation"),
    Column::new("Held up by"),
    Column::new("Since"),
    Column::new("Tried again"),
    Column::words("Why"),
];

const VALUES: [Column; 4] =
    [Column::name("Values"), Column::new("Queue"), Column::new("Due"), Column::words("A refresh now")];

/// Renders the page: due times of aggregations and values, and why the rest waits.
#[must_use]
pub fn due(context: &AdminContext, shown: &DuePage) -> Markup {
    let verdict = |words: &str, job: &Option<(String, String)>| {
        html! {
            (text::visible(words, 200))
            @if let Some((id, told)) = job { p.remark { a href={ "/jobs/" (id) } { (text::visible(told, 200)) } } }
        }
    };
    let aggregation = |row: &AggregationRow| {
        [
            html! { b { (row.name) } },
            html! { @match row.watermark { Some(at) => { (exact(at)) }, None => { "nothing yet" } } },
            html! { @match &row.lag { Some(lag) => { span.warn { (lag) } }, None => { "–" } } },
            html! { (grouped(row.pending)) },
            verdict(&row.verdict, &row.job),
        ]
    };
    let value = |row: &ValueRow| {
        [
            html! { (text::label(&row.name)) },
            html! { (row.queue) },
            html! { @match row.due { Some(at) if at > shown.now => { "in " (coarse(at - shown.now)) }, _ => { span.warn { "now" } } } },
            verdict(&row.verdict, &row.job),
        ]
    };
    let obstacle = |row: &ObstacleRow| {
        [
            html! { b { (row.name) } },
            html! { @match &row.bucket { Some(bucket) => { "the bucket " (bucket) }, None => { "a lock" } } },
            html! { (exact(row.since)) },
            html! { @match row.again { Some(at) => { (exact(at)) }, None => { "at once when it is free" } } },
            html! { code { (text::visible(&row.why, 400)) } },
        ]
    };
    let content = html! {
        p.lead.under { "As of " (exact(shown.now)) ", the time of the statistics." }
        @if !shown.obstacles.is_empty() {
            section.card.list {
                h2 { "Held up" }
                p.remark {
                    "A bucket that cannot be made holds up only the coarser buckets that it is a part of. Pages go on: they count its reports \
                     one by one. Times are the database's."
                }
                (table(OBSTACLES, shown.obstacles.iter().map(obstacle)))
            }
        }
        section.card.list {
            h2 { "Aggregations" }
            p.remark { "Reports are summed into quarters of an hour, these into hours, and those into days. A span is pending when reports came for it that are not summed yet." }
            (table(AGGREGATIONS, shown.aggregations.iter().map(aggregation)))
        }
        section.card.list {
            h2 { "Values" }
            p.remark { "What pages show is computed for a kind of reports and a period at once, when its windows roll over." }
            (table(VALUES, shown.values.iter().map(value)))
        }
    };
    let lead = html! { "What is to be aggregated and computed next, and what the minute's refresh would do about it now: queue it, or skip it and why." };
    page(context, &Frame { title: "Due", nav: "/due", lead: Some(lead), live: true }, &content)
}

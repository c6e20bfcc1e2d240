//! The page of one job.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::AdminContext;
use super::forms::{Ask, buttons};
use super::frame::{Frame, page};
use super::jobs::{JobRow, badge};
use super::spans::{exact, fine, seen};
use super::table::{Column, table};
use crate::text;

/// A reason for a job to wait.
#[derive(Clone, Debug)]
pub struct Wait {
    /// A summary of the job; may be hostile.
    pub words: String,
    /// Jobs that are in its way: ids, and words that may be hostile.
    pub blockers: Vec<(String, String)>,
}

/// An attempt that failed.
#[derive(Clone, Debug)]
pub struct AttemptRow {
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The time when it ended, UTC.
    pub at: DateTime<Utc>,
    /// The reason of the failure; may be hostile.
    pub message: String,
}

/// The content of a job's page.
#[derive(Clone, Debug)]
pub struct JobPage {
    /// The job's row, as lists show it.
    pub row: JobRow,
    /// The reason why it was queued; may be hostile.
    pub cause: String,
    /// Its unique key.
    pub key: String,
    /// Its payload; hostile.
    pub payload: String,
    /// The time from which it may run, or might have run, UTC.
    pub run_at: DateTime<Utc>,
    /// The worker of its last attempt.
    pub worker: Option<String>,
    /// The reasons why it waits; empty when it does not.
    pub waits: Vec<Wait>,
    /// The failures of attempts, oldest first.
    pub attempts: Vec<AttemptRow>,
    /// The actions that apply to it.
    pub asks: Vec<Ask>,
}

const ATTEMPTS: [Column; 3] = [Column::number("Attempt"), Column::new("Ended"), Column::words("Why")];

/// The page of a job.
#[must_use]
pub fn job(context: &AdminContext, shown: &JobPage) -> Markup {
    let row = &shown.row;
    let attempt = |attempt: &AttemptRow| {
        [
            html! { (attempt.attempt) },
            seen(attempt.at, context.now),
            html! { code { (text::visible(&attempt.message, 400)) } },
        ]
    };
    let content = html! {
        // State and actions change with the job, so they are in the part that is kept up to date.
        div.lead.under { (badge(row.state)) " " code { (row.id) } (buttons(context, &shown.asks)) }
        @if !shown.waits.is_empty() { (waits(shown)) }
        section.card.list {
            h2 { "Record" }
            dl.facts {
                dt { "Queue" } dd { a href={ "/jobs?queue=" (row.queue) } { (row.queue) } }
                dt { "Kind" } dd { (text::label(&row.name)) }
                dt { "Caused by" } dd { (text::visible(&shown.cause, 300)) }
                dt { "Queued" } dd { (exact(row.created_at)) ", " (seen(row.created_at, context.now)) }
                @if row.finished_at.is_none() {
                    dt { "To run" } dd { (exact(shown.run_at)) ", " (seen(shown.run_at, context.now)) }
                }
                @if let Some(started) = row.started_at {
                    dt { "Last attempt began" } dd { (exact(started)) ", " (seen(started, context.now)) }
                    @if let Ok(waited) = (started - shown.run_at).to_std() { dt { "Waited ready" } dd { (fine(waited)) } }
                }
                @if let Some(finished) = row.finished_at {
                    dt { "Ended" } dd { (exact(finished)) ", " (seen(finished, context.now)) }
                    @if let Some(Ok(ran)) = row.started_at.map(|start| (finished - start).to_std()) { dt { "Ran" } dd { (fine(ran)) } }
                }
                dt { "Attempts" } dd { (row.attempts.0) " of " (row.attempts.1) }
                @if let Some(worker) = &shown.worker { dt { "Worker" } dd { code { (text::visible(worker, 200)) } } }
                dt { "Unique key" } dd { code { (text::visible(&shown.key, 300)) } }
                dt { "Payload" } dd { code { (text::visible(&shown.payload, 1000)) } }
            }
        }
        section.card.list {
            h2 { "Failed attempts" }
            @if shown.attempts.is_empty() {
                p.empty { "No attempt has failed." }
            } @else {
                (table(ATTEMPTS, shown.attempts.iter().rev().map(attempt)))
            }
        }
    };
    page(context, &Frame { title: &text::visible(&row.words, 120), nav: "/jobs", lead: None, live: true }, &content)
}

fn waits(shown: &JobPage) -> Markup {
    html! {
        section.card.why {
            h2 { @if shown.row.state == "running" { "Cancellation was requested" } @else { "Why it waits" } }
            ul {
                @for wait in &shown.waits {
                    li {
                        (text::visible(&capital(&wait.words), 300)) "."
                        @if !wait.blockers.is_empty() {
                            ul { @for (id, words) in &wait.blockers { li { "Blocked by " a href={ "/jobs/" (id) } { (text::visible(words, 300)) } } } }
                        }
                    }
                }
            }
        }
    }
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

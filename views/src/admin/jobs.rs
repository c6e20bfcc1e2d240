//! Jobs by filter, newest first.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::AdminContext;
use super::forms::{Ask, buttons};
use super::frame::{Frame, page};
use super::spans::{coarse, fine, seen};
use super::table::{Column, Sort, sorted_table};
use crate::{links, text};

/// A job in a list.
#[derive(Clone, Debug)]
pub struct JobRow {
    /// The id of the job.
    pub id: String,
    /// The state of the job.
    pub state: &'static str,
    /// The queue of the job.
    pub queue: &'static str,
    /// The kind of the job; may be hostile.
    pub name: String,
    /// A summary of the job; may be hostile.
    pub words: String,
    /// The reason why it waits, or its last error; may be hostile.
    pub remark: Option<String>,
    /// The attempts begun, and the number after which it is dead.
    pub attempts: (u32, u32),
    /// The time when it was queued, UTC.
    pub created_at: DateTime<Utc>,
    /// The time when its last attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// The time when it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A filter as it was typed.
#[derive(Clone, Debug, Default)]
pub struct JobsFilter {
    /// States, joined by commas.
    pub state: String,
    /// The name of a queue.
    pub queue: String,
    /// A kind of job.
    pub job: String,
    /// A text in its words.
    pub text: String,
    /// Queued at or after: `2026-03-15T12:00`.
    pub from: String,
    /// Queued before.
    pub until: String,
    /// The pattern that the last error shares with others.
    pub error: String,
    /// Ids, joined by commas.
    pub ids: String,
    /// In which order: empty or `queued`, or `ran`.
    pub sort: String,
}

impl JobsFilter {
    /// The fields that are not empty, without the order: they say which jobs are meant.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("state", &self.state),
            ("queue", &self.queue),
            ("job", &self.job),
            ("text", &self.text),
            ("from", &self.from),
            ("until", &self.until),
            ("error", &self.error),
            ("ids", &self.ids),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.clone())).collect()
    }

    /// Returns the address of the list with this filter.
    #[must_use]
    pub fn address(&self) -> String {
        let mut fields = self.fields();
        if !self.sort.is_empty() {
            fields.push(("sort", self.sort.clone()));
        }
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", links::encoded(value))).collect();
        format!("/jobs?{}", pairs.join("&"))
    }

    /// The same in another order.
    fn sorted(&self, sort: &str) -> Self {
        Self { sort: sort.to_owned(), ..self.clone() }
    }
}

/// The content of the list of jobs.
#[derive(Clone, Debug)]
pub struct JobsPage {
    /// The filter of the list.
    pub filter: JobsFilter,
    /// States that can be chosen.
    pub states: Vec<&'static str>,
    /// Queues that can be chosen.
    pub queues: Vec<&'static str>,
    /// Kinds of jobs that can be chosen.
    pub names: Vec<&'static str>,
    /// A page of the matching jobs.
    pub rows: Vec<JobRow>,
    /// The id after which the next page begins, if there is one.
    pub older: Option<String>,
    /// Whether this is not the first page.
    pub paged: bool,
    /// The actions for all that match.
    pub asks: Vec<Ask>,
}

/// Jobs by filter.
#[must_use]
pub fn jobs(context: &AdminContext, shown: &JobsPage) -> Markup {
    let content = html! {
        section.card.list {
            @if shown.rows.is_empty() {
                p.empty { "No job matches." }
            } @else {
                (list(context, &shown.rows, Some(&shown.filter)))
            }
            @if shown.paged || shown.older.is_some() {
                nav.pager aria-label="Pages of the list" {
                    @if shown.paged { a href=(shown.filter.address()) { "Newest" } } @else { span {} }
                    @if let Some(id) = &shown.older { a href={ (shown.filter.address()) "&before=" (id) } rel="next" { "Older" } }
                }
            }
        }
    };
    let lead = html! { (filter_form(shown)) (narrowed(&shown.filter)) (legend()) @if !shown.rows.is_empty() && context.may_act {
        div.bulk { span { @if shown.filter.fields().is_empty() { "All jobs:" } @else { "All that match the filter:" } } (buttons(context, &shown.asks)) }
    } };
    page(context, &Frame { title: "Jobs", nav: "/jobs", lead: Some(lead), live: true }, &content)
}

/// Renders the filters that have no field in the form.
fn narrowed(filter: &JobsFilter) -> Markup {
    html! {
        p.remark {
            a href="/dead" { "Dead jobs by their errors" }
            @if !filter.error.is_empty() { " · Only jobs whose last error is like " code { (text::visible(&filter.error, 200)) } }
            @if !filter.ids.is_empty() { " · Only " (filter.ids.split(',').count()) " named jobs. " a href="/jobs" { "Show all" } }
            @if filter.sort == "ran" { " · The longest run times among the newest 5,000 that match" }
        }
    }
}

/// Renders the meaning of the states.
fn legend() -> Markup {
    let states = [
        ("queued", "ready; taken as soon as a worker is free"),
        ("scheduled", "waits for its time: delayed, or to be tried again after a failure"),
        ("running", "a worker is at it"),
        ("done", "ended well"),
        ("dead", "failed at every attempt, or unreadable"),
        ("cancelled", "ended by an operator"),
    ];
    html! {
        details.values {
            summary { "What the states mean" }
            dl.facts { @for (state, meaning) in states { dt { (badge(state)) } dd { (meaning) } } }
        }
    }
}

fn filter_form(shown: &JobsPage) -> Markup {
    let filter = &shown.filter;
    let choice = |name: &'static str, label: &str, all: &[&'static str], chosen: &str| {
        html! {
            label { span { (label) }
                select name=(name) {
                    option value="" { "any" }
                    @for value in all { option value=(value) selected[*value == chosen] { (value) } }
                    // A value that came by a link, like several states at once.
                    @if !chosen.is_empty() && !all.contains(&chosen) { option value=(chosen) selected { (text::visible(chosen, 60)) } }
                }
            }
        }
    };
    html! {
        form.filter method="get" action="/jobs" {
            (choice("state", "State", &shown.states, &filter.state))
            (choice("queue", "Queue", &shown.queues, &filter.queue))
            (choice("job", "Job", &shown.names, &filter.job))
            label.wide { span { "Text" } input type="search" name="text" value=(filter.text) maxlength="200"; }
            label { span { "Queued from (UTC)" } input type="datetime-local" name="from" value=(filter.from); }
            label { span { "until" } input type="datetime-local" name="until" value=(filter.until); }
            label { span { "Order" }
                select name="sort" {
                    option value="" { "newest first" }
                    option value="ran" selected[filter.sort == "ran"] { "longest run first" }
                }
            }
            @if !filter.error.is_empty() { input type="hidden" name="error" value=(filter.error); }
            button.button type="submit" { "Show" }
        }
    }
}

/// Renders a table of jobs; with `filter` its head has links to other orders of the matching jobs.
pub(super) fn list(context: &AdminContext, rows: &[JobRow], filter: Option<&JobsFilter>) -> Markup {
    let columns = [
        Column::mark("State"),
        Column::subject("Job"),
        Column::new("Queue"),
        Column::number("Attempt"),
        Column::new("Queued"),
        Column::new("Ran"),
    ];
    let cells = |row: &JobRow| {
        [
            badge(row.state),
            html! {
                a href={ "/jobs/" (row.id) } { (text::label(&row.words)) }
                @if let Some(remark) = &row.remark { p.remark { (text::visible(remark, 160)) } }
            },
            html! { (row.queue) },
            html! { (row.attempts.0) " of " (row.attempts.1) },
            seen(row.created_at, context.now),
            html! { (ran(context, row)) },
        ]
    };
    let sort = |column, sort: &str, chosen: bool, filter: &JobsFilter| Sort {
        column,
        address: filter.sorted(sort).address(),
        chosen,
    };
    let sorts = filter.map_or_else(Vec::new, |filter| {
        let by_run_time = filter.sort == "ran";
        vec![sort(4, "", !by_run_time, filter), sort(5, "ran", by_run_time, filter)]
    });
    sorted_table(columns, &sorts, rows.iter().map(cells))
}

fn ran(context: &AdminContext, row: &JobRow) -> String {
    match (row.started_at, row.finished_at) {
        (Some(start), Some(end)) => (end - start).to_std().map_or_else(|_| "–".to_owned(), fine),
        (Some(start), None) if row.state == "running" => format!("{} so far", coarse(context.now - start)),
        _ => "–".to_owned(),
    }
}

/// A state as a coloured word.
pub(super) fn badge(state: &'static str) -> Markup {
    html! { span class={ "state " (state) } { (state) } }
}

//! Dead jobs by their errors.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::AdminContext;
use super::forms::{Ask, buttons};
use super::frame::{Frame, page};
use super::jobs::JobsFilter;
use super::spans::seen;
use super::table::{Column, table};
use crate::number::grouped;
use crate::text;

/// Dead jobs whose last errors are alike. Texts may be hostile.
#[derive(Clone, Debug)]
pub struct DeadRow {
    /// The list of them.
    pub filter: JobsFilter,
    /// The last error of the newest.
    pub example: String,
    /// How many there are.
    pub count: u64,
    /// The kinds of the jobs.
    pub names: Vec<String>,
    /// The times when the first and the last of them ended, UTC.
    pub ended: (DateTime<Utc>, DateTime<Utc>),
    /// The actions for all of them.
    pub asks: Vec<Ask>,
}

/// Dead jobs by their errors, the largest group first; `looked` is how many jobs were looked through.
#[must_use]
pub fn dead(context: &AdminContext, rows: &[DeadRow], looked: u64) -> Markup {
    let columns = [
        Column::subject("Last error"),
        Column::number("Jobs"),
        Column::new("Kinds"),
        Column::new("First"),
        Column::new("Last"),
        Column::acts(),
    ];
    let cells = |row: &DeadRow| {
        [
            html! {
                a href=(row.filter.address()) { (text::visible(&row.filter.error, 200)) }
                @if row.example != row.filter.error { p.remark { "The newest: " code { (text::visible(&row.example, 300)) } } }
            },
            html! { (grouped(row.count)) },
            html! { (text::visible(&row.names.join(", "), 120)) },
            seen(row.ended.0, context.now),
            seen(row.ended.1, context.now),
            buttons(context, &row.asks),
        ]
    };
    let content = html! {
        section.card.list {
            @if rows.is_empty() { p.empty { "No job is dead." } } @else { (table(columns, rows.iter().map(cells))) }
        }
    };
    let lead = html! {
        @if looked > 0 { "The newest " (grouped(looked)) " dead jobs. " }
        "Jobs whose last errors differ in numbers and ids only are one group; in its name these are "
        code { "#" } ". " a href="/jobs?state=dead" { "All dead jobs one by one" } "."
    };
    page(context, &Frame { title: "Dead jobs", nav: "/jobs", lead: Some(lead), live: true }, &content)
}

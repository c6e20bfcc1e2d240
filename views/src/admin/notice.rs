//! The log of actions, and errors.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::AdminContext;
use super::frame::{Frame, page};
use super::spans::{exact, seen};
use super::table::{Column, table};
use crate::text;

/// An operator's action.
#[derive(Clone, Debug)]
pub struct ActionRow {
    /// The time of the action, UTC.
    pub at: DateTime<Utc>,
    /// The right by which the operator acted.
    pub who: String,
    /// The operator's address.
    pub peer: String,
    /// The action; may be hostile.
    pub what: String,
}

/// The log of actions, newest first.
#[must_use]
pub fn actions(context: &AdminContext, rows: &[ActionRow]) -> Markup {
    let columns = [Column::subject("What"), Column::new("When"), Column::new("Who"), Column::new("From")];
    let cells = |row: &ActionRow| {
        [
            html! { (text::visible(&row.what, 300)) },
            html! { (seen(row.at, context.now)) p.remark { (exact(row.at)) } },
            html! { (text::visible(&row.who, 60)) },
            html! { code { (text::visible(&row.peer, 100)) } },
        ]
    };
    let content = html! {
        section.card.list {
            @if rows.is_empty() {
                p.empty { "Nobody did anything yet." }
            } @else {
                (table(columns, rows.iter().map(cells)))
            }
        }
    };
    let lead = html! { "What operators asked for, newest first. An action is written down before it is done." };
    page(context, &Frame { title: "Actions", nav: "/actions", lead: Some(lead), live: true }, &content)
}

/// The page of an error: what went wrong, and what to do. Texts may be hostile.
#[must_use]
pub fn problem(context: &AdminContext, status: u16, heading: &str, advice: &str) -> Markup {
    let content = html! {
        section.card.form.error {
            p.status { "Error " (status) }
            p { (text::visible(advice, 400)) }
            p.actions { a.button.primary href="/" { "To the queues" } }
        }
    };
    page(context, &Frame { title: &text::visible(heading, 200), nav: "/", lead: None, live: false }, &content)
}

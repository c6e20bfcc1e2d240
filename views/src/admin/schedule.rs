//! The schedule.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::AdminContext;
use super::forms::{Ask, buttons};
use super::frame::{Frame, page};
use super::spans::{exact, seen};
use super::table::{Column, table};

/// Something that is done by the clock.
#[derive(Clone, Debug)]
pub struct ProducerRow {
    /// Its name.
    pub name: &'static str,
    /// When, as a cron expression with seconds.
    pub cron: &'static str,
    /// What it does.
    pub what: &'static str,
    /// The last tick that was acted on, UTC.
    pub last: Option<DateTime<Utc>>,
    /// The next one.
    pub next: Option<DateTime<Utc>>,
    /// What can be done to it.
    pub asks: Vec<Ask>,
}

/// The schedule.
#[must_use]
pub fn schedule(context: &AdminContext, rows: &[ProducerRow]) -> Markup {
    let tick = |at: Option<DateTime<Utc>>, none: &'static str| {
        html! { @match at { Some(at) => { (seen(at, context.now)) p.remark { (exact(at)) } }, None => { (none) } } }
    };
    let columns = [
        Column::subject("Producer"),
        Column::new("When"),
        Column::new("Last tick"),
        Column::new("Next tick"),
        Column::acts(),
    ];
    let cells = |row: &ProducerRow| {
        [
            html! { b { (row.name) } p.remark { (row.what) } },
            html! { code { (row.cron) } },
            tick(row.last, "none yet"),
            tick(row.next, "none"),
            buttons(context, &row.asks),
        ]
    };
    let content = html! {
        section.card.list {
            (table(columns, rows.iter().map(cells)))
        }
    };
    let lead = html! { "Any number of schedulers may run; of each tick one acts. A tick that was missed is made up by the next." };
    page(context, &Frame { title: "Schedule", nav: "/schedule", lead: Some(lead), live: true }, &content)
}

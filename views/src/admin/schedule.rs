//! The schedule.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::AdminContext;
use super::forms::{Ask, buttons};
use super::frame::{Frame, page};
use super::spans::{exact, seen};

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
    let content = html! {
        section.card.list {
            div.rows tabindex="0" {
                table.jobs.stack {
                    thead {
                        tr {
                            th scope="col" { "Producer" } th scope="col" { "When" } th scope="col" { "Last tick" }
                            th scope="col" { "Next tick" } th { span.unseen { "Actions" } }
                        }
                    }
                    tbody {
                        @for row in rows {
                            tr {
                                td.words { b { (row.name) } p.remark { (row.what) } }
                                td data-label="When" { code { (row.cron) } }
                                td data-label="Last tick" { div { (tick(row.last, "none yet")) } }
                                td data-label="Next tick" { div { (tick(row.next, "none")) } }
                                td { (buttons(context, &row.asks)) }
                            }
                        }
                    }
                }
            }
        }
    };
    let lead = html! { "Any number of schedulers may run; of each tick one acts. A tick that was missed is made up by the next." };
    page(context, &Frame { title: "Schedule", nav: "/schedule", lead: Some(lead), live: true }, &content)
}

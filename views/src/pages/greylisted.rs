//! The card that says why an address is listed, or that it is not.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use sview_model::counted;
use sview_model::greylist::{Entry, HORIZON, Never, Points};

use super::GREYLIST;
use crate::{PageContext, moment, number};

/// The greylist's answer about an address. Times UTC.
#[derive(Clone, Debug)]
pub enum Greylisted {
    /// It is listed, on the list as of that moment.
    Listed(Box<Entry>, DateTime<Utc>),
    /// It is not listed.
    NotListed {
        /// The time that the list is for.
        as_of: DateTime<Utc>,
        /// The lowest score on the list where it is full.
        least: Option<Points>,
    },
    /// It never is.
    Never(Never),
    /// There is no list yet.
    NotMade,
    /// The list cannot be read now.
    Unknown,
}

/// Renders the card.
pub(super) fn card(context: &PageContext<'_>, greylisted: &Greylisted) -> Markup {
    let now = context.now;
    html! {
        div.cards {
            div.cell.full {
                section.card.form aria-labelledby="h-greylisted" {
                    h2 #h-greylisted {
                        @if matches!(greylisted, Greylisted::Listed(entry, _) if entry.expires > now) { "Why is this address listed?" }
                        @else { "Is this address listed?" }
                    }
                    @match greylisted {
                        Greylisted::Listed(entry, as_of) if entry.expires > now => (listed(entry, *as_of, now)),
                        Greylisted::Listed(entry, _) => {
                            p { "It is " b { "not" } " on the " (link()) " any more: it left it on " (moment::at(entry.expires, now)) "." }
                        },
                        Greylisted::NotListed { as_of, least } => {
                            p {
                                "It is " b { "not" } " on the " (link()) " as of " (moment::at(*as_of, now))
                                ": nothing, or too little, was reported of it in the last " (HORIZON) " days."
                                @if let Some(least) = least {
                                    " The list is full, and whoever has less than " b { (least) " points" } " is not on it."
                                }
                            }
                        },
                        Greylisted::Never(never) => {
                            p { "It is " b { "not" } " on the " (link()) ", whatever it does: " (never.reason()) "." }
                        },
                        Greylisted::NotMade => { p { "The " (link()) " has not been made yet." } },
                        Greylisted::Unknown => { p { "What the " (link()) " says cannot be read at the moment." } },
                    }
                }
            }
        }
    }
}

fn link() -> Markup {
    html! { a href=(GREYLIST) { "greylist" } }
}

fn listed(entry: &Entry, as_of: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! {
        p {
            "It is on the " (link()) " with " b { (entry.score) " points" } ", as of " (moment::at(as_of, now)) ". Without new reports it leaves the list on "
            b { (moment::at(entry.expires, now)) } "."
        }
        // The rest of the page is about the period that was chosen: this is about another span, so it is not in sight at first.
        details.values {
            summary { "What counted in the last " (HORIZON) " days" }
            div.scroll tabindex="0" { table {
                caption {
                    "From " (when(entry.first_seen)) " to " (when(entry.last_seen)) ", seen by "
                    (counted(entry.probes, "probe")) "."
                }
                thead { tr {
                    th scope="col" { "Trap" } th scope="col" { "Action" } th scope="col" { "First" } th scope="col" { "Last" }
                    th.number scope="col" { "How often" }
                } }
                tbody {
                    @for did in &entry.evidence {
                        tr {
                            th scope="row" { (did.trap.term().name) } td { (did.action.term().name) }
                            td { (when(did.first)) } td { (when(did.last)) }
                            td.number { (number::grouped(did.count)) }
                        }
                    }
                }
            } }
        }
    }
}

/// A time that is known to the hour or, where it is a midnight, to the day.
fn when(time: DateTime<Utc>) -> Markup {
    let day = time == sview_model::Precision::Daily.floor(time);
    let text = time.format(if day { "%-d %b %Y" } else { "%-d %b %Y %H:00" });
    html! { time datetime=(moment::iso(time)) { (text) } }
}

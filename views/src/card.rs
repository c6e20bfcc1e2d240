//! A card: one resource on a page, in one of three states. It is rendered within a page, and alone for the script that waits
//! for it.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use sview_model::{Data, Reported, Request};

use crate::{chart, empty, links, moment};

/// The state of a resource's value.
#[derive(Clone, Debug)]
pub enum Slot {
    /// It is there, fresh or stale.
    Ready(Ready),
    /// It was never computed, and is being computed now.
    Pending,
    /// It cannot be shown; the reason for visitors.
    Failed(String),
}

impl Slot {
    /// Returns the version of the card among all others of its request, as an `ETag` is; `None` where there is no value.
    #[must_use]
    pub fn tag(&self) -> Option<String> {
        let Self::Ready(ready) = self else { return None };
        Some(match ready.refresh {
            Refresh::None => ready.version.clone(),
            Refresh::UnderWay => format!("{}-u", ready.version),
            Refresh::Failed { at, .. } => format!("{}-{}", ready.version, at.timestamp()),
        })
    }

    /// In how many seconds the script may ask for a newer card; `None` where it must not, because computing it costs its visitor.
    fn due(&self, request: &Request, now: DateTime<Utc>) -> Option<i64> {
        let due = match self {
            _ if !request.resource().precached() => return None,
            Self::Ready(ready) => ready.due,
            Self::Failed(_) => now + TimeDelta::minutes(1),
            Self::Pending => return None,
        };
        Some((due - now).num_seconds().max(0))
    }

    /// Whether the page has to wait for it.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Pending)
    }
}

/// A value, and how far it can be trusted. All times UTC.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The value.
    pub data: Data,
    /// Up to where it looks.
    pub finish: DateTime<Utc>,
    /// Up to where everything that was reported is counted in; at most `finish`, or later where more is known.
    pub complete_to: DateTime<Utc>,
    /// The time when the value was computed.
    pub computed_at: DateTime<Utc>,
    /// The span of reports, if the value is blank and the span is known.
    pub reported: Option<Reported>,
    /// Whether a newer value is on its way.
    pub refresh: Refresh,
    /// The time when a newer value is due.
    pub due: DateTime<Utc>,
    /// The version of the value among all others of its request: characters that may stand in an `ETag`.
    pub version: String,
}

/// Whether a newer value is on its way. Times UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refresh {
    /// None is due, or nothing is known of one.
    #[default]
    None,
    /// It is being computed, or waits to be.
    UnderWay,
    /// It could not be computed.
    Failed {
        /// The time of the failure.
        at: DateTime<Utc>,
        /// The time when it is tried again.
        again: DateTime<Utc>,
    },
}

/// The context of a card, besides its request and its slot.
#[derive(Clone, Copy, Debug)]
pub struct CardContext {
    /// The time of the page.
    pub now: DateTime<Utc>,
    /// Whether to link the data as CSV, JSON and SVG.
    pub data_links: bool,
}

/// The card of a resource. While it is pending the script asks the address in `data-fragment` for it.
#[must_use]
pub fn card(request: &Request, slot: &Slot, context: &CardContext) -> Markup {
    let resource = request.resource();
    let name = resource.name;
    html! {
        section.card id={ "r-" (name) } aria-labelledby={ "h-" (name) } data-resource=(name) data-period=(request.period())
            data-fragment=(links::fragment(request)) data-state=(state(slot))
            data-tag=[slot.tag()] data-due=[slot.due(request, context.now)] aria-busy=[slot.is_pending().then_some("true")] {
            h2 id={ "h-" (name) } { (resource.title) }
            @match slot {
                Slot::Ready(ready) => {
                    div.body {
                        @if ready.data.is_blank() { (empty::nothing(request, ready.reported.as_ref(), context.now)) }
                        @else { (chart::chart(request, &ready.data)) }
                    }
                    footer {
                        (freshness(ready, context.now))
                        @if context.data_links { (data_links(request)) }
                    }
                },
                Slot::Pending => {
                    div.body.waiting {
                        div.shimmer aria-hidden="true" {}
                        p role="status" { "Being computed…" }
                    }
                },
                Slot::Failed(reason) => {
                    div.body.failed {
                        p role="status" { b { "This could not be computed." } " " (reason) }
                    }
                },
            }
        }
    }
}

fn state(slot: &Slot) -> &'static str {
    match slot {
        Slot::Ready(Ready { refresh: Refresh::UnderWay, .. }) => "refreshing",
        Slot::Ready(_) => "ready",
        Slot::Pending => "pending",
        Slot::Failed(_) => "failed",
    }
}

/// Renders how far the numbers can be trusted.
fn freshness(ready: &Ready, now: DateTime<Utc>) -> Markup {
    html! {
        p.freshness {
            @if ready.complete_to >= ready.finish {
                "Complete to " (moment::at(ready.finish, now))
            } @else {
                span.partial {
                    "Up to " (moment::at(ready.finish, now)) ", complete only to " (moment::at(ready.complete_to, now))
                }
            }
            span.since { ", computed " (moment::ago(ready.computed_at, now)) }
            @match ready.refresh {
                Refresh::None => {},
                Refresh::UnderWay => { " " span.refreshing { "refreshing" } },
                Refresh::Failed { at, again } => {
                    " " span.partial { "The refresh failed at " (moment::at(at, now)) "; it is tried again at " (moment::at(again, now)) "." }
                },
            }
        }
    }
}

fn data_links(request: &Request) -> Markup {
    let title = request.resource().title;
    html! {
        ul.formats aria-label={ "Data of " (title) } {
            @for (format, name) in [("csv", "CSV"), ("json", "JSON"), ("svg", "SVG")] {
                li { a href=(links::data(request, format)) { (name) } }
            }
        }
    }
}

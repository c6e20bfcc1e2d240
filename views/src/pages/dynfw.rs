//! The live page of the dynamic firewall: what attacks right now. Whole without script; with it, it keeps itself up to date.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use sview_model::{counted, vocabulary};

use super::GREYLIST;
use crate::layout::{Crumb, Frame};
use crate::number::grouped;
use crate::{PageContext, assets, chart, country, layout, links, moment, text, words};

/// The path of the page.
pub const DYNFW: &str = "/dynfw/";

/// How many addresses of the list a page shows. The script does as the page says.
pub const LISTED: usize = 100;

/// How many countries are named beside the map.
const NAMED: usize = 12;

/// The state of the feed. Times are UTC.
#[derive(Clone, Debug, Default)]
pub struct LiveState {
    /// Whether the publisher is connected.
    pub connected: bool,
    /// The time since when it is, or is not, connected; `None` before that is known.
    pub since: Option<DateTime<Utc>>,
    /// The time when anything was heard last.
    pub heard_at: Option<DateTime<Utc>>,
    /// The time when the list changed last.
    pub updated: Option<DateTime<Utc>>,
    /// The list's version, where there is a list.
    pub version: Option<u64>,
    /// The serial of the list.
    pub serial: Option<u64>,
    /// How many addresses are on it.
    pub addresses: Option<usize>,
    /// Whether changes were lost, and a new list is waited for.
    pub catching_up: bool,
    /// Whether there is a database of countries.
    pub knows_countries: bool,
    /// Events of the last hour by country code.
    pub countries: BTreeMap<String, u64>,
    /// The latest events, the newest first.
    pub events: Vec<LiveEvent>,
    /// The latest changes of the list, the newest first.
    pub changes: Vec<LiveChange>,
    /// A part of the list.
    pub listed: Listed,
}

/// An incident event of an address.
#[derive(Clone, Debug)]
pub struct LiveEvent {
    /// The event's name on the wire.
    pub name: String,
    /// The address of the attacker.
    pub ip: IpAddr,
    /// The time of the event.
    pub at: DateTime<Utc>,
    /// The code of the country that the address is in, where that is known.
    pub country: Option<String>,
}

/// A change of the list.
#[derive(Clone, Copy, Debug)]
pub struct LiveChange {
    /// Whether the address was added; else it was removed.
    pub added: bool,
    /// The address that was added or removed.
    pub ip: IpAddr,
    /// The time of the change.
    pub at: DateTime<Utc>,
}

/// A part of the list.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The text that the addresses must contain. Hostile text.
    pub search: String,
    /// The page, from 1.
    pub page: usize,
    /// How many addresses contain it, on all pages.
    pub found: usize,
    /// Those of this page.
    pub addresses: Vec<IpAddr>,
}

/// Returns the words for an event; one that is not known is shown by its name without underscores.
fn event_words(name: &str) -> String {
    let known = vocabulary::events().into_iter().find(|(event, _)| event == name);
    known.map_or_else(|| text::visible(&name.replace('_', " "), text::SHOWN), |(_, title)| title)
}

/// Renders the page.
#[must_use]
pub fn dynfw(context: &PageContext<'_>, state: &LiveState) -> Markup {
    let content = html! {
        link rel="stylesheet" href=(assets::dynfw_style().path);
        script src=(assets::dynfw_script().path) defer {}
        noscript {
            p.message {
                "Without script this page does not move: it shows what was known at " (moment::at(context.now, context.now))
                ". Reload it for what is known then. Searching and paging work."
            }
        }
        div #live data-page-size=(LISTED) data-details=[context.href(&links::attacker_path(IpAddr::from([0, 0, 0, 0])))]
            data-period=(context.period) data-socket="/ws" {
            (status(context, state))
            div.cards {
                div.cell.wide { (map(state)) }
                div.cell.narrow { (countries(state)) }
                div.cell.half { (events(context, state)) }
                div.cell.half { (changes(context, state)) }
                div.cell.full { (list(context, state)) }
            }
            (dictionary())
        }
    };
    let lead = html! { "What attacks right now, and the addresses that the dynamic firewall blocks." };
    page(context, Some(lead), &content)
}

/// The page where no publisher is named.
#[must_use]
pub fn no_dynfw(context: &PageContext<'_>) -> Markup {
    let content = html! {
        div.cards { div.cell.full { section.card {
            h2 { "There is no live feed here" }
            div.body {
                p {
                    "This site hears no dynamic firewall, so it cannot show attacks as they happen. Who attacked lately is on the "
                    a href=(links::page(GREYLIST, context.period)) { "greylist" } "."
                }
                p.hint {
                    "Operators: set " code { "SVIEW_DYNFW_SERVER" } " to the host of a publisher, and "
                    code { "SVIEW_DYNFW_CERT_FILE" } " to the file of its public key or " code { "SVIEW_DYNFW_CERT_URL" }
                    " to where that is fetched from, then start sview again."
                }
            }
        } } }
    };
    page(context, None, &content)
}

fn page(context: &PageContext<'_>, lead: Option<Markup>, content: &Markup) -> Markup {
    let frame = Frame {
        title: "Live".to_owned(),
        heading: html! { "Live" },
        lead,
        nav: DYNFW,
        crumbs: vec![Crumb { label: html! { "Live" }, path: None }],
        periods_of: None,
        path: Some(DYNFW.to_owned()),
        pending: false,
    };
    layout::page(context, &frame, content)
}

fn status(context: &PageContext<'_>, state: &LiveState) -> Markup {
    let number = |n: Option<u64>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
    html! {
        section.live-status aria-label="Connection" {
            p.connection data-state=(if state.connected { "on" } else { "off" }) role="status" {
                span.dot aria-hidden="true" {}
                b #live-connection {
                    @if state.connected { "Connected" }
                    @else if state.since.is_some() { "Not connected to the publisher" }
                    @else { "Connecting to the publisher" }
                }
                span #live-note {
                    @if let (false, Some(since)) = (state.connected, state.since) { " since " (moment::at(since, context.now)) "." }
                    @if state.addresses.is_none() { " No list has come yet." }
                    @else if !state.connected { " What is shown is the last that is known." }
                    @else if state.catching_up { " Some changes were lost; a new list is on its way." }
                }
            }
            dl {
                div { dt { "Addresses" } dd #live-count { (state.addresses.map_or_else(|| "–".to_owned(), |n| grouped(n as u64))) } }
                div { dt { "Updated" } dd #live-updated {
                    @match state.updated { Some(at) => (moment::ago(at, context.now)), None => "never" }
                } }
                div { dt { "List version" } dd #live-version { (number(state.version)) } }
                div { dt { "Serial" } dd #live-serial { (number(state.serial)) } }
                div { dt { "Heard last" } dd #live-heard {
                    @match state.heard_at { Some(at) => (moment::ago(at, context.now)), None => "never" }
                } }
            }
        }
    }
}

fn map(state: &LiveState) -> Markup {
    html! {
        section.card aria-labelledby="h-map" {
            h2 #h-map { "Events by country, last hour" }
            div.body {
                (chart::world("Events of the last hour by country; the table beside it has the numbers", &state.countries))
                @if !state.knows_countries {
                    p.hint { "Countries are not known: the operator has set no GeoIP database." }
                }
            }
        }
    }
}

fn countries(state: &LiveState) -> Markup {
    let mut rows: Vec<_> = state.countries.iter().collect();
    rows.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    html! {
        section.card aria-labelledby="h-countries" {
            h2 #h-countries { "Countries" }
            div.body {
                table.live-rows {
                    thead { tr { th scope="col" { "Country" } th.number scope="col" { "Events" } } }
                    tbody #live-countries data-rows=(NAMED) {
                        @for (code, n) in rows.into_iter().take(NAMED) {
                            tr { td { (words::marked("country", Some(code))) } td.number { (grouped(*n)) } }
                        }
                    }
                }
                p.nothing #no-countries hidden[!state.countries.is_empty()] {
                    (if state.knows_countries { "No events yet." } else { "Countries are not known here." })
                }
            }
        }
    }
}

fn address(context: &PageContext<'_>, ip: IpAddr) -> Markup {
    html! {
        @match context.href(&links::attacker_path(ip)) {
            Some(href) => { a.typed href=(href) { (ip) } },
            None => { span.typed { (ip) } },
        }
    }
}

fn clock(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(moment::iso(at)) { (at.format("%H:%M:%S")) } }
}

/// The rows of a table of the latest events.
const LATEST: usize = 15;

fn events(context: &PageContext<'_>, state: &LiveState) -> Markup {
    latest(
        "events",
        "Event",
        state.events.iter().map(|event| Row {
            at: event.at,
            who: html! { (flag(event.country.as_deref())) (address(context, event.ip)) },
            what: html! { (event_words(&event.name)) },
        }),
    )
}

fn changes(context: &PageContext<'_>, state: &LiveState) -> Markup {
    latest(
        "updates",
        "Update",
        state.changes.iter().map(|change| Row {
            at: change.at,
            who: address(context, change.ip),
            what: html! { @if change.added { span.added { "added" } } @else { span.removed { "removed" } } },
        }),
    )
}

/// A row of a latest event or change.
struct Row {
    at: DateTime<Utc>,
    who: Markup,
    what: Markup,
}

/// Renders the card of the latest events or changes, which the script continues.
fn latest(things: &str, thing: &str, rows: impl ExactSizeIterator<Item = Row>) -> Markup {
    let none = rows.len() == 0;
    html! {
        section.card aria-labelledby={ "h-" (things) } {
            h2 id={ "h-" (things) } { "Latest " (things) }
            div.body {
                table.live-rows {
                    thead { tr { th scope="col" { "Time" } th scope="col" { "Address" } th scope="col" { (thing) } } }
                    tbody id={ "live-" (things) } data-rows=(LATEST) {
                        @for row in rows.take(LATEST) { tr { td { (clock(row.at)) } td { (row.who) } td { (row.what) } } }
                    }
                }
                p.nothing id={ "no-" (things) } hidden[!none] { "No " (things) " yet." }
            }
        }
    }
}

fn flag(code: Option<&str>) -> Markup {
    let known = code.and_then(|code| Some((country::flag(code)?, country::name(code)?)));
    html! {
        @if let Some((flag, name)) = known { span.flag role="img" title=(name) aria-label=(name) { (flag) } " " }
    }
}

fn list(context: &PageContext<'_>, state: &LiveState) -> Markup {
    let listed = &state.listed;
    let pages = listed.found.div_ceil(LISTED).max(1);
    let to = |page: usize| {
        let mut address = format!("{DYNFW}?page={page}&period={}", context.period);
        if !listed.search.is_empty() {
            address += &format!("&q={}", links::encoded(&listed.search));
        }
        address + "#list"
    };
    html! {
        section.card #list aria-labelledby="h-list" {
            h2 #h-list { "The list" }
            div.body {
                form.search method="get" action=(DYNFW) role="search" {
                    input type="hidden" name="period" value=(context.period);
                    label for="live-q" { "Addresses that contain" }
                    input #live-q type="search" name="q" value=(listed.search) maxlength="45" autocomplete="off" spellcheck="false"
                        placeholder="192.0.2.";
                    button.button { "Search" }
                }
                p.hint #live-found role="status" {
                    @if state.addresses.is_none() { "There is no list yet." }
                    @else { (counted(listed.found as u64, "address")) }
                }
                ul.live-list #live-list {
                    @for ip in &listed.addresses { li { (address(context, *ip)) } }
                }
                nav.live-pages aria-label="Pages of the list" {
                    @if listed.page > 1 { a.button rel="prev" href=(to((listed.page - 1).min(pages))) { "Previous" } }
                    span #live-page { "Page " (grouped(listed.page as u64)) " of " (grouped(pages as u64)) }
                    @if listed.page < pages { a.button rel="next" href=(to(listed.page + 1)) { "Next" } }
                }
            }
        }
    }
}

/// The words that the script needs, so that they are written once.
fn dictionary() -> Markup {
    html! {
        template #live-words {
            @for (name, title) in vocabulary::events() { data value=(name) { (title) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_words() {
        assert_eq!(event_words("fwlogs_big_port_scan"), "Firewall: big port scan");
        assert_eq!(event_words("ftp_message"), "FTP minipot: message");
        assert_eq!(event_words("sip_register"), "sip register");
    }
}
